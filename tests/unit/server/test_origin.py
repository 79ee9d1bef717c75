"""Pages of another origin are known by what browsers say of them; programs say nothing."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from iflow_cli_proxy.core.errors import Forbidden
from iflow_cli_proxy.server.origin import refuse_other_origins


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:28000"},
        {"Origin": "http://127.0.0.1:28000", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_programs_and_our_own_pages_may_ask(headers: dict[str, str]) -> None:
    refuse_other_origins(make_mocked_request("POST", "/", headers={"Host": "127.0.0.1:28000", **headers}))


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:28001"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:28000", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_i27_a_page_of_another_origin_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        refuse_other_origins(make_mocked_request("POST", "/", headers={"Host": "127.0.0.1:28000", **headers}))
