"""One line of the catalogue: a text with places, recognised in a finished text and filled again in another language.

Knows `{}` and `{0}`, and what may be said of a place on the side of the translation: `{:word}` is one of our own words
even when it is a single one, `{:number}` only ever holds a number. Refuses to know any text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import Final

KINDS: Final = ("", "word", "number")

_NUMBER: Final = r"([-+~]?\d[\d.,_]*%?)"
_WITHIN_A_SENTENCE: Final = r"((?:(?![.:;!?] |\n).)*?)"
_FEW_LETTERS: Final = 12


@dataclass(frozen=True)
class Place:
    """Where something is filled in; `number` counts from 0."""

    number: int
    kind: str = ""


@dataclass(frozen=True)
class Template:
    """Text and places in turns, the text before a place first."""

    parts: tuple[str | Place, ...]

    @property
    def places(self) -> list[Place]:
        return [part for part in self.parts if isinstance(part, Place)]

    @property
    def words(self) -> list[str]:
        """What stands between the places."""
        return [part for part in self.parts if isinstance(part, str)]

    @property
    def is_weak(self) -> bool:
        """So few words of its own that it could be found in what somebody else wrote."""
        return sum(letter.isalnum() for word in self.words for letter in word) < _FEW_LETTERS

    @property
    def is_glue(self) -> bool:
        """Nothing but places and marks, as in `{}: {}`: it fits almost anything."""
        return not any(letter.isalnum() for word in self.words for letter in word)


def template(text: str) -> Template:
    """Raises ValueError for a place that is none of ours."""
    parts: list[str | Place] = []
    count = 0
    for literal, field, spec, conversion in Formatter().parse(text):
        if literal:
            parts.append(literal)
        if field is None:
            continue
        if conversion or spec not in KINDS or not (field == "" or field.isdecimal()):
            raise ValueError(f"a place is {{}}, {{0}}, {{:word}} or {{:number}}: {text}")
        parts.append(Place(int(field) if field else count, spec or ""))
        count += 1
    return Template(tuple(parts))


@dataclass(frozen=True)
class Entry:
    """A text of ours and the same in another language."""

    source: Template
    target: Template

    @cached_property
    def longest(self) -> str:
        """What a text must contain to be this one at all."""
        return max(self.source.words, key=len, default="")

    @cached_property
    def _kinds(self) -> Mapping[int, str]:
        return {place.number: place.kind for place in self.target.places}

    @cached_property
    def _strict(self) -> re.Pattern[str]:
        return self._pattern(_WITHIN_A_SENTENCE)

    @cached_property
    def _loose(self) -> re.Pattern[str]:
        return self._pattern("(.*?)")

    def _pattern(self, holds: str) -> re.Pattern[str]:
        parts = (
            re.escape(part)
            if isinstance(part, str)
            else (_NUMBER if self._kinds.get(part.number) == "number" else holds)
            for part in self.source.parts
        )
        return re.compile("".join(parts), re.DOTALL)

    def said_again(self, text: str, spoken: Callable[[str], str], *, is_loose: bool = False) -> str | None:
        """`text` in the other language when it is this one, what fills its places `spoken` too where it is ours.

        A place holds no end of a sentence, unless it is `is_loose`.
        """
        found = (self._loose if is_loose else self._strict).fullmatch(text)
        if found is None:
            return None
        given = found.groups()
        filled = {
            place.number: spoken(held) if place.kind == "word" or " " in held else held
            for place in self.target.places
            for held in (given[place.number],)
        }
        if self.source.is_glue and list(given) == [filled[number] for number in range(len(given))]:
            return None
        return "".join(part if isinstance(part, str) else filled[part.number] for part in self.target.parts)
