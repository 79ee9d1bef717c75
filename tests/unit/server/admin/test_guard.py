"""What the door asks for, one by one; the attacks over real sockets are in tests/integration/test_admin_security.py."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from iflow_cli_proxy.core.errors import Forbidden, InvalidRequest, UnsupportedMedia
from iflow_cli_proxy.server.admin.guard import _check_host, _check_origin, _check_type


@pytest.mark.parametrize("host", ["127.0.0.1:28000", "[::1]:28000", "localhost", "10.0.0.7", "desk.lan", "My.Name:1"])
def test_addresses_our_own_name_and_named_hosts_are_ours(host: str) -> None:
    _check_host(make_mocked_request("GET", "/admin", {"Host": host}), "desk.lan", ("my.name",))


@pytest.mark.parametrize("host", ["", "evil.example", "127.0.0.1.nip.io", "localhost.", "desk.lan.evil"])
def test_other_names_are_not(host: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        _check_host(make_mocked_request("GET", "/admin", {"Host": host}), "desk.lan", ())
    assert raised.value.status == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://h:1"},
        {"Origin": "https://H:1", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_page_of_ours_may_change_something(headers: dict[str, str]) -> None:
    _check_origin(make_mocked_request("POST", "/admin/login", {"Host": "h:1", **headers}), must_be_named=True)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://h"},
        {"Origin": "http://h:1.evil.example"},
        {"Origin": "file://h:1"},
        {"Origin": "http://h:1", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_nobody_else_may(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        _check_origin(make_mocked_request("POST", "/admin/login", {"Host": "h:1", **headers}), must_be_named=True)


def test_a_program_may_look_without_naming_a_page() -> None:
    _check_origin(make_mocked_request("GET", "/admin/session", {"Host": "h"}), must_be_named=False)


@pytest.mark.parametrize("kind", ["text/plain", "application/json-patch+json", "", None])
def test_only_json_is_json(kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    with pytest.raises(UnsupportedMedia):
        _check_type(make_mocked_request("POST", "/admin/login", headers))
    _check_type(make_mocked_request("POST", "/admin/login", {"Content-Type": "application/json; charset=utf-8"}))
