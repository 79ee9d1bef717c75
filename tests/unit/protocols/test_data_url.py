import pytest

from iflow_cli_proxy.protocols.data_url import data_url, split_data_url


def test_a_data_url_is_its_type_and_its_data_and_back() -> None:
    assert split_data_url("data:image/png;base64,AAAA") == ("image/png", "AAAA")
    assert data_url("image/png", "AAAA") == "data:image/png;base64,AAAA"


@pytest.mark.parametrize("url", ["", "https://example.org/a.png", "data:;base64,AAAA", "data:text/plain,hello", "AAAA"])
def test_any_other_url_stays_as_it_is(url: str) -> None:
    assert split_data_url(url) == ("", url)
