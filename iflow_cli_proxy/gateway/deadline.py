"""Every time limit of one exchange on one lazily armed timer (RELIABILITY R6).

Re-arming a timer for each read costs more than the read. Here a read only notes the time; the timer, when it
fires, looks at the notes and either goes back to sleep for the rest or ends the wait that is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType

from iflow_cli_proxy.core.errors import TimedOut


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds; the names are those of the `[upstream]` table."""

    first_byte_s: float = 120.0
    idle_s: float = 60.0
    content_s: float = 180.0
    total_s: float = 1800.0
    total_name: str = "total"
    """What the total limit is called when it runs out."""
    total_hint: str = ""
    """What can be done about it; empty where it is a setting of that name."""


class Deadline:
    """Guards every wait for the upstream: `with deadline: chunk = await reply.read()`.

    Only time spent inside the guard counts against `idle` and `content`, so a slow client never makes its
    upstream look dead.
    Belongs to the task that enters it; `close()` it when the exchange ends.

    Raises:
        TimedOut: out of the guarded block, naming the limit that ran out.
    """

    __slots__ = (
        "_cancelling",
        "_content_from",
        "_expired",
        "_first_byte_from",
        "_idle_from",
        "_left_at",
        "_limits",
        "_loop",
        "_shortest_s",
        "_task",
        "_timer",
        "_total_from",
        "waited_s",
    )

    def __init__(self, limits: Limits, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._limits = limits
        self._shortest_s = min(limits.first_byte_s, limits.idle_s, limits.content_s)
        self._total_from = self._loop.time()
        self._first_byte_from: float | None = self._total_from
        self._content_from = self._total_from
        self._idle_from: float | None = None
        self._left_at = self._total_from
        self.waited_s = 0.0
        """Time spent inside the guard so far."""
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired: TimedOut | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._arm()

    def restart(self) -> None:
        """A new attempt: the first-byte clock starts again, the total one goes on; also after `close`."""
        self._first_byte_from = self._content_from = self._left_at = self._loop.time()
        if self._timer is None:
            self._arm()  # it fired, which ended the attempt before

    def saw_head(self) -> None:
        """The decision window is over; from here the idle and content clocks count."""
        self._first_byte_from = None
        self._content_from = self._left_at = self._loop.time()

    def saw_content(self) -> None:
        self._content_from = self._left_at = self._loop.time()

    @asynccontextmanager
    async def within_total(self) -> AsyncIterator[None]:
        """Guards what has to be done before an upstream is asked: its silence is no upstream's, so only the total limit
        holds."""
        limit = asyncio.timeout(max(0.0, self.remaining_s()))
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise self._expiry("total", self._limits.total_s) from error

    def remaining_s(self) -> float:
        """Seconds until the total limit."""
        return self._total_from + self._limits.total_s - self._loop.time()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> None:
        now = self._loop.time()
        if now - self._total_from >= self._limits.total_s:
            raise self._expiry("total", self._limits.total_s)
        self._idle_from = now
        self._content_from += now - self._left_at
        self._task = asyncio.current_task(self._loop)
        self._cancelling = self._task.cancelling() if self._task else 0

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left_at = self._loop.time()
        if self._idle_from is not None:
            self.waited_s += self._left_at - self._idle_from
        self._idle_from = None
        expired, self._expired, task = self._expired, None, self._task
        self._task = None
        if expired is None or task is None:
            return
        if task.uncancel() <= self._cancelling and exc_type is asyncio.CancelledError:
            raise expired from exc
        # The block ended in another way at the same moment, so the exchange may go on and needs its timer.
        self._arm()

    def _next(self) -> tuple[float, str, float]:
        """When the nearest limit runs out, its name, its length."""
        limits = self._limits
        rows = [(self._total_from + limits.total_s, "total", limits.total_s)]
        if self._first_byte_from is not None:
            rows.append((self._first_byte_from + limits.first_byte_s, "first_byte", limits.first_byte_s))
        else:
            if self._idle_from is not None:
                rows.append((self._idle_from + limits.idle_s, "idle", limits.idle_s))
            rows.append((self._content_from + limits.content_s, "content", limits.content_s))
        return min(rows)

    def _expiry(self, name: str, length_s: float) -> TimedOut:
        if name == "total":
            return TimedOut(self._limits.total_name, length_s, self._limits.total_hint)
        return TimedOut(name, length_s)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # A clock may start any moment after this and then runs out no sooner than the shortest limit from now, so
        # a look within that time is soon enough, and whatever starts a clock need not touch the timer.
        due = min(self._next()[0], self._loop.time() + self._shortest_s)
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        due, name, length = self._next()
        if self._loop.time() >= due and self._task is not None and self._expired is None:
            self._expired = self._expiry(name, length)
            self._task.cancel()
        elif self._loop.time() >= due:
            # Due while nobody waits (the client is slow): look again soon instead of spinning.
            self._timer = self._loop.call_later(min(1.0, self._shortest_s), self._look)
        else:
            self._arm()
