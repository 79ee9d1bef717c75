"""What the taps of protocols with several answers have in common: which of them have begun and which have ended."""

from __future__ import annotations

from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import Judge


class ChoiceTap:
    """`choices` answers were asked for: a stream is whole with all of them, and with each that it began."""

    __slots__ = ("_choices", "_ended", "_failing_words", "_judge", "_seen", "usage")

    def __init__(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> None:
        self._judge = judge
        self._failing_words = failing_words
        self._choices = choices
        self._seen: set[int] = set()
        self._ended: set[int] = set()
        self.usage: Usage | None = None

    @property
    def is_finished(self) -> bool:
        return len(self._ended) >= self._choices and self._seen == self._ended
