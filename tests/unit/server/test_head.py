"""The rules of `head.py` one by one; tests/integration/test_framing.py sends the same over sockets."""

from __future__ import annotations

import pytest
from aiohttp import HttpVersion, HttpVersion10, HttpVersion11, web
from aiohttp.test_utils import make_mocked_request

from iflow_cli_proxy.core.errors import ExpectationFailed, GatewayError, InvalidRequest, MethodNotAllowed
from iflow_cli_proxy.server.head import check_head, is_ignored_upgrade, is_treacherous


def request(
    target: str = "/v1/models", method: str = "GET", *, version: HttpVersion = HttpVersion11, **headers: str
) -> web.Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request(method, target, headers={"Host": "localhost", **named}, version=version)


@pytest.mark.parametrize(
    "good",
    [
        request(),
        request("/v1/models?path=/../%00//"),
        request("*", "OPTIONS"),
        request(Host="127.0.0.1:28000"),
        request(Host="[::1]:28000"),
        request(Host="gateway_1.example."),
        request(Host=""),
        request(Expect="100-Continue"),
        request(Content_Length="10485760"),
        request(Transfer_Encoding="Chunked"),
        request(version=HttpVersion10),
    ],
    ids=str,
)
def test_an_ordinary_head_passes(good: web.Request) -> None:
    assert check_head(good) is None


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (request(version=HttpVersion(0, 9)), InvalidRequest),
        (request(version=HttpVersion(2, 0)), InvalidRequest),
        (request(method="TRACE"), MethodNotAllowed),
        (request("evil.example:443", "CONNECT"), MethodNotAllowed),
        (request("http://evil.example/"), InvalidRequest),
        (request("//evil.example/"), InvalidRequest),
        (request("/a/../b"), InvalidRequest),
        (request(Transfer_Encoding="gzip, chunked"), InvalidRequest),
        (request(Transfer_Encoding="chunked", version=HttpVersion10), InvalidRequest),
        (request(Content_Length="18446744073709551615"), InvalidRequest),
        (request(Expect="tea"), ExpectationFailed),
        (request(Host="a/b"), InvalidRequest),
        (request(Host="user@host"), InvalidRequest),
        (request(Host="host:port"), InvalidRequest),
        (request(Host="[::1"), InvalidRequest),
    ],
    ids=str,
)
def test_a_head_that_means_trouble_is_named(bad: web.Request, error: type[GatewayError]) -> None:
    assert type(check_head(bad)) is error


@pytest.mark.parametrize(
    "path",
    [
        "/..", "/../a", "/a/..", "/a/../b", "/./a", "/a/.", "/a\\b", "//a", "/%2e%2e/a", "/.%2E/a", "/a%2f..%2fb",
        "/%252e%252e/", "/%5c", "/a%00", "/a%0d%0a", "/a%7f", "/%2525252e", "/\udcff%2e%2e/..",
    ],
)  # fmt: skip
def test_paths_that_mean_something_else_to_somebody_are_treacherous(path: str) -> None:
    assert is_treacherous(path)


@pytest.mark.parametrize(
    "path", ["/", "/v1/models/org%2Fname", "/a..b/c...", "/.well-known/x", "/a//b", "/100%", "/%E4%BD%A0"]
)
def test_paths_that_only_look_odd_are_not(path: str) -> None:
    assert not is_treacherous(path)


def test_only_a_websocket_upgrade_may_be_taken() -> None:
    assert not is_ignored_upgrade(request())
    assert not is_ignored_upgrade(request(Upgrade="WebSocket"))
    assert is_ignored_upgrade(request(Upgrade="h2c"))
