"""What curl's result codes mean in our error tree.

Knows the codes of libcurl 8 and the few texts that tell two meanings of one code apart. Refuses to pass those texts on:
they name hosts and ports.
"""

from __future__ import annotations

from typing import Final

from curl_cffi import Curl, CurlECode, CurlInfo

from iflow_cli_proxy.core.errors import ConfigError, GatewayError
from iflow_cli_proxy.transport import faults
from iflow_cli_proxy.transport.proxy import Proxy
from iflow_cli_proxy.transport.trust import unusable_bundle

_CONNECT: Final = frozenset({CurlECode.COULDNT_CONNECT, CurlECode.INTERFACE_FAILED})
_TLS: Final = {
    CurlECode.SSL_CONNECT_ERROR: "handshake failure",
    CurlECode.PEER_FAILED_VERIFICATION: "the certificate is not trusted, expired or for another host",
    CurlECode.SSL_CIPHER: "no common cipher",
    CurlECode.SSL_SHUTDOWN_FAILED: "shutdown failure",
    CurlECode.SSL_ISSUER_ERROR: "unknown issuer",
    CurlECode.SSL_PINNEDPUBKEYNOTMATCH: "unexpected key",
    CurlECode.SSL_INVALIDCERTSTATUS: "invalid certificate status",
}
_NOT_HTTP: Final = frozenset(
    {
        CurlECode.UNSUPPORTED_PROTOCOL,  # HTTP/0.9, which is anything that is not a status line
        CurlECode.WEIRD_SERVER_REPLY,
        CurlECode.TOO_LARGE,
        CurlECode.OUT_OF_MEMORY,
    }
)


def status_of(line: bytes) -> int:
    """The status of `HTTP/1.1 200 OK`, 0 when there is none."""
    parts = line.split(None, 2)
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() and len(parts[1]) == 3 else 0


def connect_status(handle: Curl) -> int:
    """What an HTTP proxy answered to CONNECT, 0 when none was asked."""
    value = handle.getinfo(CurlInfo.HTTP_CONNECTCODE)
    return value if isinstance(value, int) else 0


def fault_of(
    code: int,
    *,
    proxy: Proxy | None,
    heard: bool,
    answered: bool,
    connect_status: int,
    connect_timeout_s: float,
    text: str,
) -> GatewayError:
    """`heard`: a line of an answer came; `answered`: its whole head did. `text` is only searched, never shown."""
    detail = f"curl {code}"
    if answered:
        return faults.cut_body()
    if proxy is not None and (
        code == CurlECode.PROXY or (connect_status and not 200 <= connect_status < 300) or "CONNECT" in text
    ):
        return faults.proxy_refused(proxy, connect_status)
    match code:
        case CurlECode.COULDNT_RESOLVE_HOST:
            return faults.unresolved()
        case CurlECode.COULDNT_RESOLVE_PROXY:
            return faults.refused(proxy, detail)
        case CurlECode.OPERATION_TIMEDOUT:
            return faults.connect_timed_out(proxy, connect_timeout_s)
        case CurlECode.URL_MALFORMAT:
            return ConfigError("The upstream's base URL is not usable.", hint="see `iflow2api config show`")
        case CurlECode.SSL_CACERT_BADFILE:
            return unusable_bundle()
        case CurlECode.SSL_CONNECT_ERROR if "reset" in text.lower() or "SYSCALL" in text:
            return faults.refused(proxy, detail)
    if code in _CONNECT:
        return faults.refused(proxy, detail)
    if code in _TLS:
        return faults.tls_failed(_TLS[CurlECode(code)], detail)
    if code in _NOT_HTTP:
        return faults.not_http(detail)
    return faults.cut_head() if heard else faults.lost()
