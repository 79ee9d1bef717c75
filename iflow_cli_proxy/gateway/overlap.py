"""What a continued answer says twice: models like to begin again with the last words of what they were cut off in.

Pure. Text that only happens to repeat (a bracket, a blank line, a row of zeros) is not overlap: what counts as one must
be long enough and made of more than a few letters.
"""

from __future__ import annotations

from typing import Final

LONGEST: Final = 400
"""Characters looked back."""
_SHORTEST: Final = 16
_FEWEST_LETTERS: Final = 5
"""Different letters or digits in it."""


class OverlapTrim:
    """Takes the beginning of the new text apart from what it repeats of `said`; holds back only what may be that."""

    def __init__(self, said: str) -> None:
        self._tail = said[-LONGEST:]
        self._held = ""
        self._is_decided = False

    def feed(self, text: str) -> str:
        """What is new for certain."""
        if self._is_decided:
            return text
        self._held += text
        if any(self._tail.startswith(self._held, at) for at in range(len(self._tail) - _SHORTEST + 1)):
            return ""
        return self.close()

    def close(self) -> str:
        """The text has ended, or is known to repeat no more."""
        held, self._held = self._held, ""
        self._is_decided = True
        return held[self._repeated(held) :]

    def _repeated(self, text: str) -> int:
        for at in range(max(0, len(self._tail) - len(text)), len(self._tail) - _SHORTEST + 1):
            overlap = self._tail[at:]
            if text.startswith(overlap) and _is_telling(overlap):
                return len(overlap)
        return 0


def _is_telling(text: str) -> bool:
    return len({letter for letter in text if letter.isalnum()}) >= _FEWEST_LETTERS
