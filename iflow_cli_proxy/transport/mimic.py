"""The `mimic` transport: curl_cffi, whose TLS and HTTP/2 handshake looks like a browser's.

Uses AsyncCurl and Curl handles directly. AsyncSession, on top of them, sets every option anew for each request (40 % of
the time), hands out one queue item per network event, and has no bound on that queue. Here a handle is configured once
and pooled, a read takes everything that is there, and a full buffer pauses the transfer.
Knows how an answer grows out of curl's callbacks. Refuses to take headers, redirects, cookies or proxies from anywhere
but the request and the options.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from curl_cffi import CurlError
from curl_cffi.curl import CURL_WRITEFUNC_PAUSE, CURLPAUSE_CONT

from iflow_cli_proxy.core.errors import GatewayError, Malformed
from iflow_cli_proxy.transport import curl_codes, faults
from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest
from iflow_cli_proxy.transport.curl_handles import Handle, Multi
from iflow_cli_proxy.transport.decoding import DecodingReply
from iflow_cli_proxy.transport.proxy import ProxyChoice
from iflow_cli_proxy.transport.trust import tls_context

BUFFER_BYTES: Final = 131_072
"""What a reply keeps before it pauses its transfer; curl holds at most one more receive buffer."""
IDLE_HANDLES: Final = 256


class MimicTransport:
    """One curl multi handle, which is one connection pool, on the event loop of the first request."""

    def __init__(self, options: TransportOptions) -> None:
        if options.ca_file:
            tls_context(options.ca_file)  # curl would complain only when it connects
        self._options = options
        self._choose_proxy = ProxyChoice(options)
        self._idle = [Handle(options)]
        self._open: set[MimicReply] = set()
        self._multi: Multi | None = None

    async def send(self, request: UpstreamRequest) -> MimicReply:
        if self._multi is None:
            self._multi = Multi()
        handle = self._idle.pop() if self._idle else Handle(self._options)
        reply = MimicReply(self, self._multi, handle)
        self._open.add(reply)
        try:
            handle.prepare(request, self._choose_proxy(request.url))
            await reply.begin(handle)
        except BaseException:
            reply.close()
            raise
        return reply

    async def aclose(self) -> None:
        for reply in list(self._open):
            reply.close()
        multi, self._multi = self._multi, None
        if multi is not None:
            await multi.close()  # type: ignore[no-untyped-call]
        for handle in self._idle:
            handle.close()
        self._idle.clear()

    def take_back(self, reply: MimicReply, handle: Handle) -> None:
        self._open.discard(reply)
        handle.forget()
        if len(self._idle) < IDLE_HANDLES and not handle.is_spoiled:
            self._idle.append(handle)
        else:
            handle.close()


class MimicReply(DecodingReply):
    """An answer, from before its head has arrived until it is closed."""

    __slots__ = (
        "_chunks",
        "_fault",
        "_handle",
        "_headers",
        "_interims",
        "_is_ended",
        "_is_paused",
        "_lines",
        "_multi",
        "_size",
        "_transport",
        "_waiter",
        "status",
    )

    def __init__(self, transport: MimicTransport, multi: Multi, handle: Handle) -> None:
        super().__init__()
        self.status = 0
        self._transport = transport
        self._multi = multi
        self._handle: Handle | None = handle
        handle.receiver = self
        self._headers: dict[str, str] = {}
        self._lines: list[bytes] = []
        self._interims = 0
        self._chunks: list[bytes] = []
        self._size = 0
        self._is_paused = False
        self._is_ended = True
        self._fault: GatewayError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    async def begin(self, handle: Handle) -> None:
        """Start the transfer and wait for the head."""
        self._multi.add_handle(handle)
        self._is_ended = False
        while not self.status and not self._is_ended:
            await self._news()
        if not self.status:
            raise self._fault or (faults.cut_head() if self._lines else faults.not_http())

    async def _read_wire(self) -> bytes:
        while not self._chunks:
            if self._is_ended:
                if self._fault is not None:
                    raise self._fault
                return b""
            await self._news()
        chunks = self._chunks
        piece = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        self._size = 0
        if self._is_paused:
            self._resume()
        return piece

    async def _news(self) -> None:
        self._waiter = self._multi.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _resume(self) -> None:
        self._is_paused = False
        if self._handle is not None and not self._is_ended:
            self._handle.pause(CURLPAUSE_CONT)

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is None:
            return
        handle.receiver = None
        if not self._is_ended:
            self._is_ended = True
            self._fault = faults.cut_body()
            # Removing a running transfer closes its connection (in HTTP/2: resets its stream).
            self._multi.remove_handle(handle)
            self._wake()
        self._transport.take_back(self, handle)

    def on_header(self, line: bytes) -> bool:
        if line.startswith(b"HTTP/"):
            self._lines = [line]
        elif self.status:
            return True  # a trailer
        elif line.strip():
            self._lines.append(line)
        else:
            try:
                self._accept_head()
            except GatewayError as fault:
                self._fault = fault
                return False
        return True

    def _accept_head(self) -> None:
        status = curl_codes.status_of(self._lines[0] if self._lines else b"")
        if 100 <= status < 200 and status != 101:
            self._interims += 1
            if self._interims > faults.INTERIM_COUNT:
                raise faults.not_http("endless interim answers")
            return
        if len(self._lines) > faults.HEADER_COUNT or max(map(len, self._lines)) > faults.HEADER_BYTES:
            raise faults.not_http("oversized headers")
        proxy = self._handle.proxy if self._handle is not None else None
        if status == faults.PROXY_AUTH_STATUS and proxy is not None:
            raise faults.proxy_refused(proxy, status)
        lengths = 0
        for line in self._lines[1:]:
            name, _, value = line.decode("utf-8", "replace").partition(":")
            name = name.strip().lower()
            lengths += name == "content-length"
            self._headers.setdefault(name, value.strip())
        faults.check_head(status, lengths=lengths, transfer_encoding=self._headers.get("transfer-encoding"))
        self.status = status
        self._wake()

    def on_body(self, data: bytes) -> int:
        if self._size >= BUFFER_BYTES:
            self._is_paused = True
            return CURL_WRITEFUNC_PAUSE
        self._chunks.append(data)
        self._size += len(data)
        self._wake()
        return len(data)

    def on_end(self, error: BaseException | None) -> None:
        self._is_ended = True
        if error is not None and self._fault is None:
            self._fault = self._translate(error)
        self._wake()

    def _translate(self, error: BaseException) -> GatewayError:
        handle = self._handle
        if handle is None:
            return faults.cut_body()
        if not isinstance(error, CurlError):
            handle.is_spoiled = True
            return Malformed("The upstream's answer could not be read.", detail=type(error).__name__)
        return curl_codes.fault_of(
            int(error.code),
            proxy=handle.proxy,
            heard=bool(self._lines),
            answered=self.status != 0,
            connect_status=curl_codes.connect_status(handle),
            connect_timeout_s=handle.connect_timeout_s,
            text=str(error),
        )
