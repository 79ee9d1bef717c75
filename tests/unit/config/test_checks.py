import pytest

from iflow_cli_proxy.config import checks


@pytest.mark.parametrize("name", ["desk", "a", "llama-cpp_2", "0x"])
def test_ordinary_names_are_names(name: str) -> None:
    assert checks.NAME.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["", ".", "../x", "a/b", "a\\b", "Desk", "-desk", "x" * 64, "de\x00sk", "d\u0435sk", "%2e%2e"]
)
def test_names_that_could_leave_a_folder_are_none(name: str) -> None:
    assert not checks.NAME.fullmatch(name)


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9801/v1", "https://host.example", "http://[::1]:1/v1"])
def test_http_urls_pass(url: str) -> None:
    assert checks.http_url_or_empty(url) == ""


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:9801", "ftp://host", "http://", "http://host:port", "http://host:99999", "http://a b", "http://[::1"],
)
def test_what_is_no_http_url_is_told_what_one_looks_like(url: str) -> None:
    assert "http://" in checks.http_url_or_empty(url)


@pytest.mark.parametrize("url", ["http://u:secretpw@host/v1", "https://u@host", "http://@host"])
def test_a_base_url_carries_no_password(url: str) -> None:
    complaint = checks.http_url_or_empty(url)

    assert "without user and password" in complaint
    assert "secretpw" not in complaint


def test_an_address_to_listen_on_is_not_empty() -> None:
    assert checks.host("::1") == ""
    assert "127.0.0.1" in checks.host(" ")


@pytest.mark.parametrize("url", ["socks5h://127.0.0.1:1080", "http://me:word@proxy:8080"])
def test_proxies_of_every_kind_pass(url: str) -> None:
    assert checks.proxy_url(url) == ""
    assert checks.proxy_url("gopher://x") != ""


def test_headers_may_not_carry_line_breaks_or_odd_names() -> None:
    assert checks.headers("aligned") == ""
    assert checks.headers({"x-team": "docs"}) == ""
    assert checks.headers({"x team": "docs"}) != ""
    assert checks.headers({"x-team": "a\r\nhost: evil"}) != ""


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection", "TE"])
def test_headers_may_not_say_where_a_body_ends(name: str) -> None:
    assert checks.headers({name: "5"}) != ""


def test_lists_and_tables_have_no_empty_members() -> None:
    assert checks.no_empty_items(("a",)) == ""
    assert checks.no_empty_items(("a", "")) != ""
    assert checks.no_empty_values({"a": "b"}) == ""
    assert checks.no_empty_values({"a": ""}) != ""
    assert checks.not_empty("x") == ""
    assert checks.not_empty(" ") != ""


def test_statuses_worth_a_retry_are_errors() -> None:
    assert checks.status_codes((429, 503)) == ""
    assert checks.status_codes((200,)) != ""


def test_a_kind_is_a_name_or_nothing() -> None:
    assert checks.name_or_empty("") == ""
    assert checks.name_or_empty("openai_compatible") == ""
    assert checks.name_or_empty("Open AI") != ""


@pytest.mark.parametrize("chain", [{"": ["a"]}, {"a": []}, {"a": [""]}, {"a": ["b", " "]}])
def test_a_chain_of_fallbacks_has_names_on_both_sides(chain: dict[str, list[str]]) -> None:
    assert checks.chains({"x": ["y"]}) == ""
    assert checks.chains(chain)
