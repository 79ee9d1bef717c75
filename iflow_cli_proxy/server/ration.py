"""How many flights of a second are written down: wording one takes ten times what the row beside it does.

A person's requests are recorded all; thousands in a second would only push each other out of the file, so the first of
them stand for the rest. What went wrong, or needed another try, is what a recorder is for: of it ten times as many.
"""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.state.ledger_row import Row

_MORE_OF_TROUBLE: Final = 10
_STATUS_OF_ERRORS: Final = 400


class Ration:
    """Counts by seconds of a monotonic clock, good exchanges and the others apart."""

    def __init__(self) -> None:
        self._second = -1
        self._taken = {False: 0, True: 0}

    def allows(self, row: Row, most: int, now: float) -> bool:
        """Whether one more may be written down, of `most` good ones a second; 0 is no limit."""
        if not most:
            return True
        if (second := int(now)) != self._second:
            self._second, self._taken = second, {False: 0, True: 0}
        is_trouble = bool(row.error_kind) or row.status >= _STATUS_OF_ERRORS or len(row.attempts) > 1
        self._taken[is_trouble] += 1
        return self._taken[is_trouble] <= most * (_MORE_OF_TROUBLE if is_trouble else 1)
