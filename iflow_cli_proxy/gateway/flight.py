"""What the flight recorder notes of one exchange while it runs: instants, and references to what is there anyway.

A request pays a few µs for it: nothing is copied but bodies that are to be kept, nothing is worded, and nothing is
masked, so a Flight holds secrets. It is masked where it is written down; this module refuses to know where that is.
Instants are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Final

import msgspec

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.routing.resolve import Route
from iflow_cli_proxy.transport.base import UpstreamReply, UpstreamRequest

GAP_LIMITS_S: Final = (0.1, 1.0, 10.0)
"""Upper ends of the classes that gaps are counted in; the last class has none."""
_LONG_S: Final = GAP_LIMITS_S[0]
SMALL_BYTES: Final = 16_384
"""Of a body that is all there at once this much is held until it is written down, if only for the names in it."""

_BESIDE_A_PIECE: Final = 56
"""Bytes of memory that each piece takes besides its own, which is more than a token of a stream has."""


class Tape:
    """The beginning of a body and the size of all of it."""

    __slots__ = ("_pieces", "_room", "size_bytes")

    def __init__(self, room_bytes: int = 0) -> None:
        """At most `room_bytes` are kept; with none a body is only measured."""
        self.size_bytes = 0
        self._room = room_bytes
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        if self._room:
            kept = piece if len(piece) <= self._room else piece[: self._room]
            self._pieces.append(kept)
            self._room -= len(kept)

    def make_room(self, room_bytes: int) -> None:
        """For at least as much, where nothing was added yet."""
        self._room = max(self._room, room_bytes)

    @property
    def kept(self) -> bytes:
        return b"".join(self._pieces)

    @property
    def held_bytes(self) -> int:
        return sum(map(len, self._pieces)) + _BESIDE_A_PIECE * len(self._pieces)


class _Nothing:
    """In place of a reply that was closed."""

    status: Final = 0
    headers: Final[Mapping[str, str]] = {}

    async def read(self) -> bytes:
        return b""

    def close(self) -> None:
        return


_NOTHING: Final = _Nothing()


class Heard:
    """An upstream's reply as it is read, with an ear on it: how much came, and how long chunks kept each other waiting.

    It is the reply itself for whoever reads it; a chunk costs 0.2 µs more.
    """

    __slots__ = ("_inner", "_last_at", "_longer", "_now", "chunks", "headers", "longest_gap_s", "status", "tape")

    def __init__(self, inner: UpstreamReply, tape: Tape, now: Callable[[], float]) -> None:
        self.status = inner.status
        self.headers = inner.headers
        self.tape = tape
        self.chunks = 0
        self.longest_gap_s = 0.0
        self._inner: UpstreamReply = inner
        self._now = now
        self._last_at = inf  # what the first chunk was waited for is no gap between two
        self._longer = [0] * len(GAP_LIMITS_S)

    async def read(self) -> bytes:
        chunk = await self._inner.read()
        if chunk:
            now = self._now()
            gap_s = now - self._last_at
            self._last_at = now
            self.chunks += 1
            if gap_s > self.longest_gap_s:
                self.longest_gap_s = gap_s
            if gap_s > _LONG_S:
                self._longer[sum(gap_s > limit for limit in GAP_LIMITS_S) - 1] += 1
            self.tape.add(chunk)
        return chunk

    def close(self) -> None:
        """And let go of it: a flight waits a while to be written, and what was read with would wait with it."""
        inner, self._inner = self._inner, _NOTHING
        inner.close()

    @property
    def gaps(self) -> list[int]:
        """How many there were in each class, the shortest first."""
        return [max(0, self.chunks - 1) - sum(self._longer), *self._longer]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An error in words. The error itself would hold on to all that was under way when it was raised."""

    kind: str
    message: str = ""
    detail: str = ""
    hint: str = ""


def said(error: GatewayError) -> Said:
    return Said(kind=error.kind, message=error.message, detail=error.detail, hint=error.hint)


class FlownAttempt(msgspec.Struct, kw_only=True, eq=False):
    """One try, from the lease to its end."""

    account: str
    """Its label."""
    route: Route
    started_at: float
    protocol: str = ""
    """What the upstream was asked in."""
    request: UpstreamRequest | None = None
    """Without its body; None when it came to nothing before anything was sent."""
    sent: Tape
    heard: Heard | None = None
    received: Tape
    headers_at: float | None = None
    content_at: float | None = None
    ended_at: float | None = None
    ending: Said | None = None
    """None when it was good."""
    why_another: str = ""
    """What made the next attempt follow."""

    def sends(self, request: UpstreamRequest, protocol: str) -> None:
        self.protocol = protocol
        self.sent.add(request.body)
        self.request = msgspec.structs.replace(request, body=b"")  # a long stream would hold on to it

    def hears(self, reply: UpstreamReply, now: Callable[[], float]) -> Heard:
        """The reply, to be read instead of the one that came."""
        self.headers_at = now()
        if "json" in reply.headers.get("content-type", ""):
            self.received.make_room(SMALL_BYTES)
        self.heard = Heard(reply, self.received, now)
        return self.heard

    def ends(self, ending: GatewayError | str, at: float) -> None:
        """`ending` is empty when it went well, a word where nothing was wrong with the attempt itself."""
        self.ended_at = at
        if ending:
            self.ending = said(ending) if isinstance(ending, GatewayError) else Said(kind=ending)


class RouteTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The decision where a request may go, before anybody was asked."""

    alias_of: str = ""
    """What the name asked for stands for, when it is an alias."""
    routes: tuple[Route, ...] = ()
    """Those its caller may use, in order."""
    strategy: str = ""
    has_session: bool = False
    """Its conversation stays on one account."""
    steps: tuple[str, ...] = ()
    """The decision in sentences."""


class Flight(msgspec.Struct, kw_only=True, eq=False):
    """One exchange."""

    method: str = ""
    path: str = ""
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    """The client's."""
    room_bytes: int = 0
    """Kept of each body; 0: nothing."""
    is_for_ledger: bool = True
    has_bodies: bool = False
    """The ledger keeps what there is of bodies too."""
    is_for_log: bool = False
    """Bodies go to the debug log."""
    asked: Tape
    fields: tuple[str, ...] = ()
    """Names of the top-level fields of the client's body."""
    route: RouteTaken = RouteTaken()
    remarks: list[str] = msgspec.field(default_factory=list)
    """What happened to routes beside the attempts: some are passed over, one goes first because it has room."""
    attempts: list[FlownAttempt] = msgspec.field(default_factory=list)
    repairs: tuple[Note, ...] = ()
    error: Said | None = None
    """What the client was told went wrong."""
    shortening: str = ""
    """What was dropped of a prompt that was too long."""
    answer_status: int = 0
    answer_headers: Mapping[str, str] = {}
    answered: Tape

    def attempt(self, account: str, route: Route, started_at: float) -> FlownAttempt:
        """The next one begins."""
        room = self.room_bytes
        flown = FlownAttempt(account=account, route=route, started_at=started_at, sent=Tape(room), received=Tape(room))
        self.attempts.append(flown)
        return flown

    def goes_on(self, why: str, route: Route, error: GatewayError, *, was_sent: bool) -> None:
        """After an attempt on `route`, or after nobody could be asked there."""
        if was_sent and self.attempts:
            self.attempts[-1].why_another = why
        else:
            self.remarks += [f"{route}: {error.message}", f"→ {why}"]

    def fails(self, error: GatewayError) -> None:
        """What the client is told in place of an answer, or at the end of half of one."""
        self.error = said(error)

    def answers(self, body: bytes) -> None:
        """All of the answer to the client at once."""
        self.answered.make_room(SMALL_BYTES)
        self.answered.add(body)

    def beside(self) -> Flight:
        """For what is asked for its sake."""
        flight = begun(room_bytes=self.room_bytes)
        flight.is_for_ledger, flight.has_bodies, flight.is_for_log = (
            self.is_for_ledger, self.has_bodies, self.is_for_log
        )  # fmt: skip
        return flight

    @property
    def held_bytes(self) -> int:
        """About how much memory it takes until it is written down."""
        tapes = [self.asked, self.answered, *(tape for one in self.attempts for tape in (one.sent, one.received))]
        return sum(tape.held_bytes for tape in tapes)


def begun(
    method: str = "",
    path: str = "",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    room_bytes: int = 0,
) -> Flight:
    """The flight of a request that has just come in."""
    return Flight(
        method=method,
        path=path,
        query=query or {},
        headers=headers or {},
        room_bytes=room_bytes,
        asked=Tape(room_bytes),
        answered=Tape(room_bytes),
    )
