"""The words for everything that can go wrong between us and an upstream, so that both transports say the same.

Knows the error tree and what an HTTP head must look like. Refuses to know aiohttp and curl: each transport maps its
library's exceptions onto these. No message names an address, a URL or a password.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.errors import (
    ConnectionLost,
    ConnectTimedOut,
    CutOff,
    Malformed,
    TlsFailed,
    Unreachable,
)
from iflow_cli_proxy.transport.proxy import Proxy

HEADER_BYTES: Final = 16_384
HEADER_COUNT: Final = 128
INTERIM_COUNT: Final = 16
"""How many 1xx answers may come before the real one."""

PROXY_AUTH_STATUS: Final = 407
CHECK: Final = "run `iflow2api models --live` to see which upstream answers"
"""The hint of every failure on the way to an upstream."""


class StaleConnection(ConnectionLost):
    """A pooled connection died before it answered: the server most likely closed it while it was idle."""


def unresolved() -> Unreachable:
    return Unreachable("The upstream's host name does not resolve.", hint=CHECK)


def refused(proxy: Proxy | None, detail: str = "") -> Unreachable:
    if proxy is not None:
        return Unreachable(f"The proxy in {proxy.setting} cannot be reached.", hint=CHECK, detail=detail)
    return Unreachable("The upstream cannot be reached.", hint=CHECK, detail=detail)


def connect_timed_out(proxy: Proxy | None, after_s: float) -> ConnectTimedOut:
    way = f" through the proxy in {proxy.setting}" if proxy is not None else ""
    return ConnectTimedOut(
        f"The upstream did not accept a connection{way} within {after_s:g} s.",
        hint=CHECK,
        param=proxy.setting if proxy is not None else "upstream.connect_timeout_s",
    )


def proxy_refused(proxy: Proxy | None, status: int = 0) -> Unreachable:
    setting = proxy.setting if proxy is not None else "upstream.proxy"
    if status == PROXY_AUTH_STATUS:
        return Unreachable(
            f"The proxy in {setting} refuses its user name or password (status 407).",
            param=setting,
            hint=f"correct the credentials in {setting}",
        )
    said = f" (status {status})" if status else ""
    return Unreachable(f"The proxy in {setting} did not open a connection{said}.", param=setting, hint=CHECK)


def tls_failed(reason: str = "", detail: str = "") -> TlsFailed:
    why = f": {reason}" if reason else ""
    return TlsFailed(f"The upstream's TLS connection failed{why}.", hint=CHECK, detail=detail)


def lost(*, is_stale: bool = False) -> ConnectionLost:
    kind = StaleConnection if is_stale else ConnectionLost
    return kind("The upstream closed the connection without an answer.")


def cut_head() -> CutOff:
    return CutOff("The upstream's answer stopped before its headers were complete.")


def cut_body() -> CutOff:
    return CutOff("The upstream's answer stopped before its end.")


def excess_body() -> CutOff:
    return CutOff("The upstream sent more than it announced.")


def not_http(detail: str = "") -> Malformed:
    return Malformed("The upstream's answer is not HTTP.", detail=detail)


def check_head(status: int, *, lengths: int, transfer_encoding: str | None) -> None:
    """Refuse a head whose body nobody could delimit safely (RFC 9112, 6.3).

    Raises:
        Malformed: no final status, more than one Content-Length, one beside Transfer-Encoding, or an unknown coding.
    """
    if not 200 <= status <= 599:
        raise not_http(f"status {status}")
    if lengths > 1:
        raise not_http("more than one content-length")
    if transfer_encoding is not None and (lengths or transfer_encoding.strip().lower() != "chunked"):
        raise not_http("unusable transfer-encoding")
