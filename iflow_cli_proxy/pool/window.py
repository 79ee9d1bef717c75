"""Two sums over the last so many seconds, in bounded memory.

What falls into one second shares a bucket, which counts until its last entry is old enough: a sum is never too small,
and at most one second slow to forget.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf


class Window:
    """`first` and `second` are what `add` was given within the span, as of the last `forget`."""

    __slots__ = ("_buckets", "_newest", "_span_s", "first", "second")

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._buckets: deque[list[float]] = deque()
        """Oldest first: the second it is for, the last moment in it, and both sums."""
        self._newest = -inf
        self.first = 0.0
        self.second = 0.0

    def __len__(self) -> int:
        return len(self._buckets)

    @property
    def newest_at(self) -> float:
        """The last moment at which something was added that still counts."""
        return self._buckets[-1][1] if self._buckets else -inf

    def add(self, now: float, first: float, second: float) -> None:
        begins_at = now // 1.0
        if begins_at > self._newest:
            self.forget(now)
            self._newest = begins_at
            self._buckets.append([begins_at, now, first, second])
        else:
            bucket = self._buckets[-1]
            bucket[1] = max(bucket[1], now)
            bucket[2] += first
            bucket[3] += second
        self.first += first
        self.second += second

    def correct(self, at: float, first: float, second: float) -> None:
        """Change what was added at the moment `at`; nothing happens when that is forgotten already."""
        begins_at = at // 1.0
        for bucket in reversed(self._buckets):
            if bucket[0] == begins_at:
                bucket[2] += first
                bucket[3] += second
                self.first += first
                self.second += second
                return
            if bucket[0] < begins_at:
                return

    def forget(self, now: float) -> None:
        """Let go of what is older than the span."""
        buckets = self._buckets
        while buckets and buckets[0][1] + self._span_s <= now:
            _, _, first, second = buckets.popleft()
            self.first -= first
            self.second -= second
        if not buckets:
            self._newest = -inf

    def earliest(self, now: float, fits: Callable[[float, float], bool]) -> float:
        """The first moment, `now` or later, at which both sums fit if nothing is added until then."""
        self.forget(now)
        first, second, moment = self.first, self.second, now
        for _, last_at, of_first, of_second in self._buckets:
            if fits(first, second):
                break
            first, second, moment = first - of_first, second - of_second, last_at + self._span_s
        return moment
