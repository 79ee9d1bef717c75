"""The cookie's name, and how it is found among what other programs on the host have set."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.server.admin.cookie import cookie_name, cookies_in, set_cookie, take_cookie


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:28000", "iflow2api_admin_28000"),
        ("[::1]:28001", "iflow2api_admin_28001"),
        ("localhost", "iflow2api_admin_80"),
        ("gateway.example.com", "iflow2api_admin_80"),
    ],
)
def test_it_is_called_after_the_port_of_the_address(host: str, name: str) -> None:
    assert cookie_name(make_mocked_request("GET", "/admin", {"Host": host})) == name


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([], []),
        (["iflow2api_admin_1=a"], ["a"]),
        (['iflow2api_admin_1="a"; iflow2api_admin_1=b'], ["a", "b"]),
        (["iflow2api_admin_1=a", "x=y;iflow2api_admin_1=a"], ["a"]),
        (["iflow2api_admin_2=a; iflow2api_admin=b; iflow2api_admin_11=c; xiflow2api_admin_1=d"], []),
        (['x="; iflow2api_admin_1=a; {}'], ["a"]),
    ],
    ids=str,
)
def test_every_one_of_that_name_is_found(sent: list[str], found: list[str]) -> None:
    headers = CIMultiDict([("Host", "127.0.0.1:1"), *(("Cookie", one) for one in sent)])

    assert list(cookies_in(make_mocked_request("GET", "/admin", headers))) == found


@pytest.mark.parametrize(("origin", "is_secure"), [("https://gateway.example.com", True), ("http://h", False)])
def test_tls_in_front_of_us_is_seen_in_the_origin(origin: str, is_secure: bool) -> None:
    request = make_mocked_request("POST", "/admin/login", {"Host": "h", "Origin": origin})
    given, taken = web.Response(), web.Response()
    set_cookie(request, given, Secret("ab"))
    take_cookie(request, taken)

    for response in (given, taken):
        cookie = response.cookies["iflow2api_admin_80"]
        assert bool(cookie["secure"]) is is_secure
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/admin")
