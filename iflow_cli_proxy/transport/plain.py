"""The `plain` transport: HTTP/1.1 over aiohttp.

Knows how to make aiohttp send exactly what it was given and how its exceptions map onto our error tree. Refuses to
follow redirects, to keep cookies, to decompress by itself and to retry, except once when a pooled connection turns out
to be dead before any byte of an answer (RELIABILITY F9).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientHttpProxyError,
    ClientProxyConnectionError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    HttpVersion10,
    HttpVersion11,
    InvalidURL,
    hdrs,
)
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload
from yarl import URL

from iflow_cli_proxy.core.errors import ConfigError, CutOff, GatewayError
from iflow_cli_proxy.transport import faults
from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest
from iflow_cli_proxy.transport.decoding import DecodingReply
from iflow_cli_proxy.transport.lines import SUFFIX_BYTES, Line, LineConnector
from iflow_cli_proxy.transport.proxy import Proxy, ProxyChoice
from iflow_cli_proxy.transport.trust import reason_of, tls_context

READ_BUFFER_BYTES: Final = 16_384
"""aiohttp reads on until it holds twice as much. A stream whose client does not read keeps this and little more."""
_PIECE_BYTES: Final = 262_144
_OWN_HEADERS: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class _LargeBody(Payload):
    """A body written in pieces as fast as the upstream takes them; aiohttp would copy it or write it in one go."""

    _value: bytes
    _autoclose = True

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._value.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        whole = memoryview(self._value)
        for start in range(0, len(whole), _PIECE_BYTES):
            await writer.write(whole[start : start + _PIECE_BYTES])


class PlainTransport:
    """One connection pool (and one more per SOCKS proxy the environment may name)."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._choose_proxy = ProxyChoice(options)
        self._tls = tls_context(options.ca_file) if options.ca_file else None
        self._pools: dict[str, tuple[ClientSession, LineConnector]] = {}

    async def send(self, request: UpstreamRequest) -> PlainReply:
        url = _address(request.url)
        proxy = self._choose_proxy(request.url)
        try:
            return await self._attempt(request, url, proxy)
        except faults.StaleConnection:
            self._pool(proxy)[1].drop_idle()
            return await self._attempt(request, url, proxy)

    async def aclose(self) -> None:
        pools, self._pools = self._pools, {}
        for session, _ in pools.values():
            await session.close()

    async def _attempt(self, request: UpstreamRequest, url: URL, proxy: Proxy | None) -> PlainReply:
        session, _ = self._pool(proxy)
        headers = request.headers
        if "Accept-Encoding" not in headers and not any(name.lower() == "accept-encoding" for name in headers):
            headers = {**headers, "Accept-Encoding": "identity"}
        body = request.body
        try:
            response = await session.request(
                request.method,
                url,
                headers=headers,
                data=_LargeBody(body) if len(body) > _PIECE_BYTES else body or None,
                allow_redirects=False,
                proxy=proxy.url if proxy is not None and not proxy.is_socks else None,
            )
        except (ClientError, OSError) as error:
            raise self._fault(error, proxy) from error
        return self._accept(response, proxy)

    def _accept(self, response: ClientResponse, proxy: Proxy | None) -> PlainReply:
        reply = PlainReply(response)
        try:
            if response.status == faults.PROXY_AUTH_STATUS and proxy is not None:
                raise faults.proxy_refused(proxy, response.status)
            if response.version not in (HttpVersion11, HttpVersion10):
                raise faults.not_http("protocol version")
            headers = response.headers
            faults.check_head(
                response.status,
                lengths=len(headers.getall(hdrs.CONTENT_LENGTH, ())),
                transfer_encoding=headers.get(hdrs.TRANSFER_ENCODING),
            )
        except GatewayError:
            reply.abandon()
            raise
        return reply

    def _pool(self, proxy: Proxy | None) -> tuple[ClientSession, LineConnector]:
        key = proxy.url if proxy is not None and proxy.is_socks else ""
        if key not in self._pools:
            self._pools[key] = self._open_pool(proxy if key else None)
        return self._pools[key]

    def _open_pool(self, proxy: Proxy | None) -> tuple[ClientSession, LineConnector]:
        connect_s = self._options.connect_timeout_s
        if proxy is None:
            connector = LineConnector(self._tls)
        else:
            from iflow_cli_proxy.transport.socks import SocksConnector

            connector = SocksConnector(proxy, self._tls, connect_s)
        session = ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            max_field_size=faults.HEADER_BYTES,
            max_headers=faults.HEADER_COUNT,
            read_bufsize=READ_BUFFER_BYTES,
            response_class=_Response,
            skip_auto_headers=_OWN_HEADERS,
            # aiohttp rounds timeouts above the threshold up to whole seconds; ours shall end when they say.
            timeout=ClientTimeout(total=None, connect=connect_s, ceil_threshold=3600),
            trust_env=False,
        )
        return session, connector

    def _fault(self, error: ClientError | OSError, proxy: Proxy | None) -> GatewayError:
        match error:
            case ConnectionTimeoutError() | TimeoutError():
                return faults.connect_timed_out(proxy, self._options.connect_timeout_s)
            case ClientConnectorCertificateError(certificate_error=ssl.SSLError() as cause):
                return faults.tls_failed(reason_of(cause))
            case ClientHttpProxyError():
                return faults.proxy_refused(proxy, error.status)
            case ClientProxyConnectionError():
                return faults.refused(proxy)
            case ClientConnectorDNSError():
                return faults.refused(proxy) if proxy is not None else faults.unresolved()
            case ClientConnectorError(os_error=ssl.SSLError() as cause):
                return faults.tls_failed(reason_of(cause))
            case ClientConnectorError():
                return faults.refused(proxy, detail=f"errno {error.os_error.errno}")
            case InvalidURL():
                return _no_address()
            case ClientResponseError():
                return faults.not_http(type(error).__name__)
            case _:
                # Not known to be safe to repeat, so it counts as sent.
                return faults.lost()


class PlainReply(DecodingReply):
    """An answer whose head has arrived."""

    __slots__ = ("_content", "_headers", "_line", "_response", "_tail", "_wire_headers", "status")

    def __init__(self, response: ClientResponse) -> None:
        super().__init__()
        self.status = response.status
        self._response: ClientResponse | None = response
        self._content = response.content
        self._wire_headers = response.headers
        connection = response.connection
        line = connection.protocol if connection is not None else None
        self._line = line if isinstance(line, Line) else None
        self._headers: dict[str, str] | None = None
        self._tail = b""
        """The last bytes of the body so far; a whole read would stay in memory as long as the stream."""

    @property
    def headers(self) -> Mapping[str, str]:
        if self._headers is None:
            headers: dict[str, str] = {}
            for name, value in self._wire_headers.items():
                headers.setdefault(name.lower(), _readable(value))
            self._headers = headers
        return self._headers

    async def _read_wire(self) -> bytes:
        try:
            piece = await self._content.readany()
        except (ClientError, CutOff, OSError) as error:
            if unread := self._content._buffer:
                # aiohttp forgets what it has not handed out yet; what arrived before the cut is still an answer.
                piece = b"".join(unread)
                unread.clear()
                return piece
            raise faults.cut_body() from error
        if piece:
            self._tail = piece[-SUFFIX_BYTES:]
        elif self._line is not None and self._line.is_garbled:
            raise faults.excess_body()
        return piece

    def close(self) -> None:
        response, self._response = self._response, None
        if response is None:
            return
        line = self._line
        if line is not None and self._content.at_eof():
            line.rest(self._tail, is_chunked=hdrs.TRANSFER_ENCODING in self._wire_headers)
            response.release()
        else:
            self._response = response
            self.abandon()

    def abandon(self) -> None:
        """Close the connection, whatever state it is in."""
        response, self._response = self._response, None
        if response is not None:
            if self._line is not None:
                self._line.abort()
            response.close()


class _Response(ClientResponse):
    """aiohttp's response without its habit of pooling the connection the moment the body ends.

    That moment is in the middle of parsing, before anybody knows whether more bytes follow: `PlainReply.close` decides.
    """

    def _response_eof(self) -> None:
        return None


def _readable(value: str) -> str:
    """aiohttp smuggles bytes that are not UTF-8 as lone surrogates, which no log and no client can encode."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _address(text: str) -> URL:
    """Raises ConfigError for what nobody can be called at, such as a base URL out of a file of accounts."""
    try:
        url = URL(text, encoded=True)
        is_usable = bool(url.host) and url.port is not None
    except ValueError as error:
        raise _no_address() from error
    if not is_usable:
        raise _no_address()
    return url


def _no_address() -> ConfigError:
    return ConfigError("The upstream's base URL is not usable.", hint="see `iflow2api config show`")
