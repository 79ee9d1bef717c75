"""One client connection: aiohttp's HTTP/1.1 protocol with a guard at its door.

Knows how long a head may take, how many connections one address may hold, what is told to a client whose bytes are
no HTTP, and when a connection may end. Refuses to know routes, keys and bodies.

aiohttp's own state is read in three places only, `_is_waiting`, `_is_misunderstood` and `refuse_unmasked`; tests fail
when an aiohttp arrives in which they mean something else (written against 3.14.5).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError

from iflow_cli_proxy.config.schema import ServerSettings
from iflow_cli_proxy.core.errors import Busy, ClientTooSlow, GatewayError
from iflow_cli_proxy.server import refusal
from iflow_cli_proxy.server.admin.masking import MaskWatch
from iflow_cli_proxy.server.head import check_head, is_ignored_upgrade, is_spoken
from iflow_cli_proxy.server.stall import StallWatch
from iflow_cli_proxy.telemetry.formats import FIELDS

_LOG: Final = logging.getLogger("iflow2api.connection")
IDLE_S: Final = 75.0
"""How long a connection may rest between two requests: nginx's habit, longer than most clients' own."""
LINGER_S: Final = 0.5
"""How long bytes nobody wants are read and dropped, so that a client still sending gets to see its answer."""
LAST_LOOK_S: Final = 0.05
"""What passes between noticing that a head is overdue and acting on it."""
UNSENT_BYTES: Final = 32_768
"""What may wait for a slow client before its answer is no longer written; the kernel holds much more (L7)."""
_COME_BACK_S: Final = 1.0
_PROTOCOL_ERROR: Final = b"\x88\x02\x03\xea"
"""A WebSocket's close frame with the code 1002."""
_SITE_PREFIX: Final = 64
"""One holder of IPv6 addresses has at least this network to itself."""


class Door:
    """What all connections of one listener share: the limits, and who is inside.

    `room` is the number of connections the process can hold in all; 0 for no limit.
    """

    def __init__(
        self, settings: Callable[[], ServerSettings], *, new_request_id: Callable[[], str], room: int = 0
    ) -> None:
        self.settings = settings
        self.new_request_id = new_request_id
        self._room = room
        self._inside: Counter[str] = Counter()
        self.connections = 0

    def enter(self, holder: str) -> GatewayError | None:
        """Count one more connection of `holder`, or say why not; each one that came in must `leave` once."""
        limit = self.settings().max_connections_per_ip
        if limit and self._inside[holder] >= limit:
            return Busy("Too many connections from this address.", retry_after_s=_COME_BACK_S)
        if self._room and self.connections >= self._room:
            return Busy("The gateway holds as many connections as it can.", retry_after_s=_COME_BACK_S)
        self._inside[holder] += 1
        self.connections += 1
        return None

    def leave(self, holder: str) -> None:
        self.connections -= 1
        self._inside[holder] -= 1
        if not self._inside[holder]:
            del self._inside[holder]


def holder_of(peername: object) -> str:
    """The address connections are counted by: an IPv4 address, or an IPv6 network; empty for a UNIX socket."""
    if not isinstance(peername, tuple) or not peername:
        return ""
    address = ipaddress.ip_address(str(peername[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _SITE_PREFIX), strict=False))


class Connection(web.RequestHandler):
    """Made by a `Listener` for each accepted socket."""

    __slots__ = (
        "_body", "_door", "_head_bytes", "_head_due_at", "_head_timer", "_holder", "_is_body_broken", "_is_inside",
        "_is_last_look", "_is_leaving", "_masks", "_stall",
    )  # fmt: skip

    def __init__(self, server: web.Server, door: Door, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=IDLE_S,
            logger=_LOG,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to say none; the application keeps its log
            max_line_size=refusal.MAX_LINE_BYTES,
            max_field_size=refusal.MAX_FIELD_BYTES,
            max_headers=refusal.MAX_HEADERS,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )
        self._door = door
        self._holder = ""
        self._stall = StallWatch(loop, lambda: door.settings().write_timeout_s)
        self._is_inside = False
        self._is_leaving = False
        self._is_body_broken = False
        self._body: StreamReader | None = None
        self._head_bytes = 0
        self._head_due_at: float | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._is_last_look = False
        self._masks: MaskWatch | None = None

    # --- what asyncio calls ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._holder = holder_of(transport.get_extra_info("peername"))
        to_client = cast("asyncio.Transport", transport)  # uvloop's is one without being an instance
        error = self._door.enter(self._holder)
        if error is not None:
            to_client.write(self._raw(error))
            to_client.close()
            return
        self._is_inside = True
        super().connection_made(transport)
        to_client.set_write_buffer_limits(high=UNSENT_BYTES)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if not self._is_inside or self._is_misunderstood:
            return
        if self._masks is not None and not self._masks.feed(data):
            self._refuse_frames()
            return
        super().data_received(data)
        if not self._is_waiting:
            self._head_due_at = None
            self._head_bytes = 0
            self._break_off_body()
            return
        self._head_bytes += len(data)
        if self._head_bytes > refusal.MAX_HEAD_BYTES:
            self._turn_away(refusal.headers_too_large())
        elif self._head_due_at is None:
            self._await_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stall.end()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stall.end()
        if self._head_timer is not None:
            self._head_timer.cancel()
        if self._is_inside:
            self._is_inside = False
            self._door.leave(self._holder)
        super().connection_lost(exc)

    # --- what aiohttp calls ---------------------------------------------------------------------------------------

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no request, and to what no middleware caught."""
        if isinstance(exc, ConnectionError):
            raise exc  # nobody is left to tell; aiohttp ends the connection
        request_id = self._door.new_request_id()
        if isinstance(exc, HttpProcessingError | web.RequestPayloadError):
            self.log_refusal(type(exc).__name__, request_id)
        else:
            _LOG.error("our bug, it escaped the application", exc_info=exc, extra={FIELDS: {"request_id": request_id}})
        if request.writer.output_size > 0:
            raise ConnectionError("The answer has begun; there is no room for another.")
        return refusal.response(refusal.of_parser(exc), request_id)

    def log_access(self, request: web.BaseRequest, response: web.StreamResponse, time: float | None) -> None:
        """Called when an answer is out, which is when a connection that has no future ends."""
        self._body = None
        self._watch_reader()
        if self._is_body_broken:
            self.force_close()
        elif self._is_leaving:
            self.close()

    # --- what the listener calls ----------------------------------------------------------------------------------

    def begin(self, request: web.BaseRequest) -> GatewayError | None:
        """A request's head is here and its turn has come; the answer says why it may not go further."""
        self._body = request.content
        self._break_off_body()
        error = check_head(request)
        # 2026-11: aiohttp drops what follows an ignored upgrade in the same packet and reads on behind it, so that the
        # rest of a body would count as a request. Nothing behind such a request is believed.
        self._is_leaving = self._is_leaving or is_ignored_upgrade(request)
        return error

    def log_refusal(self, why: object, request_id: str) -> None:
        """Under the id that the answer tells."""
        _LOG.debug("refused a request from %s: %s", self._holder, why, extra={FIELDS: {"request_id": request_id}})

    @property
    def is_ending(self) -> bool:
        """The answer being given is the last one here, so it should say `Connection: close`."""
        return self._is_leaving or self._is_body_broken

    def leave(self) -> None:
        """End now if nothing is being served, else when the running answer is out."""
        if self._is_waiting:
            self.force_close()
        else:
            self._is_leaving = True

    def refuse_unmasked(self) -> bool:
        """From here on the client speaks WebSocket, and has to mask what it says; False if it has not done so already.

        Call it before the handshake is answered: what came in one packet with it waits in aiohttp.
        """
        self._masks = MaskWatch()
        return self._masks.feed(self._message_tail)

    # --- inside ---------------------------------------------------------------------------------------------------

    @property
    def _is_waiting(self) -> bool:
        """No request is being served or queued: whatever has arrived is part of a head."""
        waiter = self._waiter
        return waiter is not None and not waiter.done()

    @property
    def _is_misunderstood(self) -> bool:
        """The parser has given up; the refusal is queued and later bytes mean nothing."""
        return bool(self._messages) and not isinstance(self._messages[-1][0], RawRequestMessage)

    def _refuse_frames(self) -> None:
        """Close what was a WebSocket, with 1002."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(_PROTOCOL_ERROR)
            transport.close()

    def _watch_reader(self) -> None:
        """Cut the client off if it takes nothing more of what was written."""
        transport = self.transport
        if transport is not None and transport.get_write_buffer_size():
            self._stall.begin(transport)

    def _break_off_body(self) -> None:
        """Wake who waits for the rest of a body whose framing just broke.

        2026-11: aiohttp leaves them waiting for ever. It needs telling twice: a reader that the bytes before the break
        have woken already waits again without looking whether something went wrong.
        """
        body = self._body
        if body is not None and not body.is_eof() and self._is_misunderstood and not self._is_body_broken:
            self._is_body_broken = True
            error = web.RequestPayloadError("the framing of the body is wrong")
            body.set_exception(error)
            self._loop.call_soon(body.set_exception, error)

    def _await_head(self) -> None:
        """Start the clock for one head. Later bytes of it do not move the deadline."""
        self._head_due_at = self._loop.time() + self._door.settings().head_timeout_s
        self._is_last_look = False
        if self._head_timer is None:
            self._look_again_at(self._head_due_at - LAST_LOOK_S)

    def _look_again_at(self, when: float) -> None:
        self._head_timer = self._loop.call_at(when, self._look_at_clock)

    def _look_at_clock(self) -> None:
        """One timer serves every head of the connection: it is moved only when it fires too early."""
        self._head_timer = None
        if self._head_due_at is None or not self._is_waiting:
            return
        now = self._loop.time()
        if self._is_last_look:
            self._give_up_on_head()
        elif now < self._head_due_at - LAST_LOOK_S:
            self._look_again_at(self._head_due_at - LAST_LOOK_S)
        else:
            # Of a process that was asleep, timers may wake before what arrived meanwhile is read (F65).
            self._is_last_look = True
            self._look_again_at(max(self._head_due_at, now + LAST_LOOK_S))

    def _give_up_on_head(self) -> None:
        if self._head_bytes:
            self._turn_away(ClientTooSlow("The request head did not arrive in time."))
        else:
            # Nobody asked anything. An answer could be taken for that to a request on its way now.
            self.force_close()

    def _turn_away(self, error: GatewayError) -> None:
        """Answer a head that will never be complete, and close once the client had a moment to read that."""
        request_id = self._door.new_request_id()
        self.log_refusal(error, request_id)
        transport = self.transport
        assert transport is not None
        transport.write(refusal.raw_response(error, request_id))
        if transport.can_write_eof():
            transport.write_eof()
        self.close()
        self._loop.call_later(LINGER_S, transport.close)

    def _raw(self, error: GatewayError) -> bytes:
        return refusal.raw_response(error, self._door.new_request_id())


def is_last_answer(request: web.BaseRequest) -> bool:
    """Whether the connection ends with the answer to `request`."""
    connection = request.protocol
    return isinstance(connection, Connection) and connection.is_ending


def guard(server: web.Server, door: Door) -> None:
    """Let every request of `server` pass its connection's checks before the application sees it; once for a server."""
    handle = server.request_handler

    def guarded(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        connection: Any = request.protocol
        error = connection.begin(request)
        if error is None:
            return handle(request)
        request_id = door.new_request_id()
        connection.log_refusal(error, request_id)
        return _refuse(request, error, request_id)

    server.request_handler = guarded


async def _refuse(request: web.BaseRequest, error: GatewayError, request_id: str) -> web.StreamResponse:
    if is_spoken(request.version):
        return refusal.response(error, request_id)
    # A response would begin with the client's version, and `HTTP/0.9 400` is no HTTP.
    await request.writer.write(refusal.raw_response(error, request_id))
    raise ConnectionAbortedError("refused")
