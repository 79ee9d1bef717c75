from __future__ import annotations

import pytest
from curl_cffi import CurlECode

from iflow_cli_proxy.core.errors import (
    ConfigError,
    ConnectionLost,
    ConnectTimedOut,
    CutOff,
    GatewayError,
    Malformed,
    TlsFailed,
    Unreachable,
)
from iflow_cli_proxy.transport.curl_codes import fault_of, status_of
from iflow_cli_proxy.transport.proxy import Proxy

PROXY = Proxy("http://me:hunter2@h:1", "upstream.proxy")


def fault(code: int, **facts: object) -> GatewayError:
    usual = {
        "proxy": None,
        "heard": False,
        "answered": False,
        "connect_status": 0,
        "connect_timeout_s": 5.0,
        "text": "",
    }
    return fault_of(code, **(usual | facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (CurlECode.COULDNT_RESOLVE_HOST, Unreachable),
        (CurlECode.COULDNT_RESOLVE_PROXY, Unreachable),
        (CurlECode.COULDNT_CONNECT, Unreachable),
        (CurlECode.OPERATION_TIMEDOUT, ConnectTimedOut),
        (CurlECode.SSL_CONNECT_ERROR, TlsFailed),
        (CurlECode.PEER_FAILED_VERIFICATION, TlsFailed),
        (CurlECode.SSL_CACERT_BADFILE, ConfigError),
        (CurlECode.URL_MALFORMAT, ConfigError),
        (CurlECode.UNSUPPORTED_PROTOCOL, Malformed),
        (CurlECode.WEIRD_SERVER_REPLY, Malformed),
        (CurlECode.GOT_NOTHING, ConnectionLost),
        (CurlECode.SEND_ERROR, ConnectionLost),
        (CurlECode.RECV_ERROR, ConnectionLost),
        (CurlECode.HTTP2, ConnectionLost),
    ],
)
def test_codes_before_any_answer(code: CurlECode, kind: type[GatewayError]) -> None:
    assert type(fault(code)) is kind


def test_the_same_code_means_more_the_more_was_heard() -> None:
    assert type(fault(CurlECode.RECV_ERROR)) is ConnectionLost
    assert type(fault(CurlECode.RECV_ERROR, heard=True)) is CutOff
    assert type(fault(CurlECode.OPERATION_TIMEDOUT, heard=True, answered=True)) is CutOff


def test_a_reset_during_the_handshake_is_not_a_certificate_problem() -> None:
    assert type(fault(CurlECode.SSL_CONNECT_ERROR, text="Recv failure: Connection reset by peer")) is Unreachable


def test_a_proxys_refusal_is_told_from_the_upstreams() -> None:
    refusal = fault(CurlECode.RECV_ERROR, proxy=PROXY, connect_status=407, text="CONNECT tunnel failed, response 407")
    assert type(refusal) is Unreachable
    assert "407" in refusal.message
    assert type(fault(CurlECode.PROXY, proxy=PROXY)) is Unreachable
    assert type(fault(CurlECode.RECV_ERROR, proxy=PROXY, connect_status=200)) is ConnectionLost


def test_curls_own_words_are_never_passed_on() -> None:
    for code in CurlECode:
        error = fault(code, proxy=PROXY, text="Could not connect to secret.example port 443")
        assert "secret" not in f"{error.message} {error.detail} {error.hint}"


@pytest.mark.parametrize(
    ("line", "status"),
    [(b"HTTP/1.1 200 OK\r\n", 200), (b"HTTP/2 404 \r\n", 404), (b"HTTP/1.1\r\n", 0), (b"HTTP/1.1 20 x", 0), (b"", 0)],
)
def test_status_lines(line: bytes, status: int) -> None:
    assert status_of(line) == status
