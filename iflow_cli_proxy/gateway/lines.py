"""Who waits for an account: a line for each client, and whose turn it is.

Knows the order alone. Refuses to know what anybody waits for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from iflow_cli_proxy.pool.lease import Closed, Lease
from iflow_cli_proxy.pool.wish import Wish


@dataclass(slots=True, eq=False)
class Waiter:
    wish: Wish
    client: str
    has_elsewhere: bool
    since: float
    gives_up_at: float
    future: asyncio.Future[Lease]
    found: Closed
    """Why it waits, as of the last look."""


class Lines:
    """By client, the one whose turn it is first. Those that gave up may stand here until their task runs again."""

    def __init__(self) -> None:
        self._of: dict[str, deque[Waiter]] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def __iter__(self) -> Iterator[Waiter]:
        """Those that still wait, line by line."""
        return (waiter for line in self._of.values() for waiter in line if not waiter.future.done())

    def clients(self) -> tuple[str, ...]:
        return tuple(self._of)

    def line(self, client: str) -> tuple[Waiter, ...]:
        """Those of one client that still wait."""
        return tuple(waiter for waiter in self._of.get(client, ()) if not waiter.future.done())

    def join(self, waiter: Waiter) -> None:
        self._of.setdefault(waiter.client, deque()).append(waiter)

    def remove(self, waiter: Waiter) -> None:
        line = self._of.get(waiter.client)
        if line is not None and waiter in line:
            line.remove(waiter)
        if not line:
            self._of.pop(waiter.client, None)

    def had_its_turn(self, client: str) -> None:
        """The others come first now."""
        if client in self._of:
            self._of[client] = self._of.pop(client)

    def last_of_the_longest(self, client: str) -> Waiter | None:
        """Whose place a newcomer of `client` may have: of a client with more places than that one would have then."""
        longest = max(map(self.line, self._of), key=len, default=())
        return longest[-1] if len(longest) > len(self.line(client)) + 1 else None
