"""`GET /admin/ws`: what is going on, told to the page every second, and the lines of the log if it asks (I36 to I38).

Nothing is queued: a page is told what is so when the last thing has gone out, so one that does not read costs a buffer
of the kernel and is cut off. All pages are told at the same moments, by one text. Refuses to take orders: what changes
something is a call of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, hdrs, web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import Busy, InvalidRequest
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.server.admin.visit import Visit
from iflow_cli_proxy.server.connection import Connection

MOST: Final = 20
"""Sockets at one time, whoever holds them."""
LARGEST_BYTES: Final = 65_536
EVERY_S: Final = 1.0
SIGNED_OUT: Final = 4401
_VERSION: Final = "13"
_HEARTBEAT_S: Final = 20.0
_SEND_WITHIN_S: Final = 5.0
_FRAMES_IN: Final = 60
_FRAMES_WITHIN_S: Final = 10.0
_LINES_AT_ONCE: Final = 200
_TOPICS: Final = frozenset({"logs"})


async def talk(visit: Visit) -> web.StreamResponse:
    """Until the page leaves, or its session ends."""
    _check_handshake(visit.request)
    sockets = visit.desk.sockets
    if len(sockets) >= MOST:
        raise Busy("As many pages as can be told are open already.", hint="close one", retry_after_s=5.0)
    socket = Socket(visit)
    sockets.add(socket)
    try:
        return await socket.run()
    finally:
        sockets.discard(socket)


class Socket:
    """One page that is told what goes on."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._ws = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, autoping=False, compress=False, max_msg_size=LARGEST_BYTES, timeout=1.0
        )
        self._topics: set[str] = set()
        self._pace = Pace(visit.state.clock)
        self._told = ""
        self._seq = 0
        self._wakes = asyncio.Event()
        self._ending: tuple[int, str] | None = None

    async def run(self) -> web.StreamResponse:
        connection = self._visit.request.protocol
        if isinstance(connection, Connection) and not connection.refuse_unmasked():
            raise InvalidRequest("What a client says has to be masked.")
        await self._ws.prepare(self._visit.request)
        async with asyncio.TaskGroup() as both:
            listening = both.create_task(self._listen())
            await self._tell_until_the_end()
            listening.cancel()
        code, reason = self._ending or (WSCloseCode.OK, "")
        with suppress(ConnectionError):
            await self._ws.close(code=code, message=reason.encode())
        return self._ws

    def end(self, code: int, reason: str) -> None:
        """Close it, in a moment; only the first word counts."""
        if self._ending is None:
            self._ending = (code, reason)
        self._wakes.set()

    async def _tell_until_the_end(self) -> None:
        state, sessions, broadcast = self._visit.state, self._visit.desk.sessions, self._visit.desk.broadcast
        while self._ending is None and not self._ws.closed:
            if not sessions.lasts(self._visit.signed_in) or not state.settings.current.admin.enabled:
                self.end(SIGNED_OUT, "the session has ended")
                return
            if not await self._send_news() or not await self._send_lines():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wakes.wait(), broadcast.until_next_s(EVERY_S))
            if self._ending is None:
                self._wakes.clear()

    async def _send_news(self) -> bool:
        """What goes on, unless this page was told so already: a wish wakes it too."""
        text = self._visit.desk.broadcast.text(EVERY_S)
        if text is self._told:
            return True
        self._told = text
        return await self._send(text)

    async def _send_lines(self) -> bool:
        if "logs" not in self._topics:
            return True
        page = self._visit.state.log_lines.after(self._seq, limit=_LINES_AT_ONCE)
        self._seq = page.next
        return not page.lines or await self._send(jsonx.encode({"type": "log", "lines": list(page.lines)}).decode())

    async def _send(self, text: str) -> bool:
        """False when nobody takes it, and then the connection is gone."""
        try:
            async with asyncio.timeout(_SEND_WITHIN_S):
                await self._ws.send_str(text)
        except TimeoutError:
            self._cut_off()
            return False
        except ConnectionError:
            return False
        return True

    def _cut_off(self) -> None:
        transport = self._visit.request.transport
        if transport is not None:
            transport.abort()

    async def _listen(self) -> None:
        """Read what the page says, until it leaves or says what no page of ours says."""
        while True:
            message = await self._ws.receive()
            if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                self.end(WSCloseCode.OK, "")
                return
            if not self._pace.allows():
                self.end(WSCloseCode.POLICY_VIOLATION, "too much at once")
                return
            if message.type is WSMsgType.PING:
                with suppress(ConnectionError):
                    await self._ws.pong(message.data)
            elif message.type is WSMsgType.TEXT and not self._obey(message.data):
                self.end(WSCloseCode.POLICY_VIOLATION, "not understood")
                return
            elif message.type is WSMsgType.BINARY:
                self.end(WSCloseCode.UNSUPPORTED_DATA, "only text")
                return

    def _obey(self, text: str) -> bool:
        try:
            wish = jsonx.decode_strict(text.encode())
        except (JsonError, UnicodeEncodeError):
            return False
        if not isinstance(wish, dict) or not set(wish) <= {"subscribe", "unsubscribe"}:
            return False
        for topics in wish.values():
            if not isinstance(topics, list) or not all(isinstance(one, str) and one in _TOPICS for one in topics):
                return False
        self._topics |= {*wish.get("subscribe", ())}
        self._topics -= {*wish.get("unsubscribe", ())}
        self._wakes.set()
        return True


class Pace:
    """How many frames a page may send: sixty in ten seconds, and no page of ours sends ten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: deque[float] = deque(maxlen=_FRAMES_IN)

    def allows(self) -> bool:
        now = self._clock.monotonic()
        is_full = len(self._at) == _FRAMES_IN and now - self._at[0] < _FRAMES_WITHIN_S
        self._at.append(now)
        return not is_full


def _check_handshake(request: web.Request) -> None:
    """Raises InvalidRequest for what is no handshake of RFC 6455 (I36)."""
    is_asked = request.headers.get(hdrs.UPGRADE, "").strip().lower() == "websocket"
    if not is_asked or request.headers.get(hdrs.SEC_WEBSOCKET_VERSION, "") != _VERSION:
        raise InvalidRequest(
            f"This is a WebSocket of version {_VERSION} only.", status=426, code="upgrade_required", param="Upgrade"
        )
    if not request.headers.get(hdrs.SEC_WEBSOCKET_KEY):
        raise InvalidRequest("The key of the handshake is missing.", param="Sec-WebSocket-Key")
