"""One line of the catalogue: a text with places, recognised in a finished text and filled again in another language.

Knows `{}` and `{0}`, and what may be said of a place on the side of the translation: `{:word}` is one of our own words
even when it is a single one, `{:number}` only ever holds a number, `{:text}` may hold what anybody wrote, `{:none}` is
left unsaid. Refuses to know any text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from string import Formatter
from typing import Final

KINDS: Final = ("", "word", "number", "text", "none")

_NUMBER: Final = re.compile(r"([-+~]?\d[\d.,_:/-]*[kMG]?%?)")
_NAMES: Final = re.compile(r"\S+(?:, \S+)*")
_ANYTHING: Final = "(.*?)"
_FULL_WIDTH: Final = "[\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff01\u3001\u3002]"
_SPARE_BLANK: Final = re.compile(
    rf"(?<={_FULL_WIDTH}) (?! )|(?<! ) (?={_FULL_WIDTH})|(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])"
)
"""Beside a full-width mark, and between two Chinese characters that a place has brought together."""
_BOUNDARY: Final = re.compile(r"[.:;!?] |\n")
_WITHIN_A_SENTENCE: Final = rf"((?:(?!{_BOUNDARY.pattern}).)*?)"
_STOPS: Final = (".", "!", "?")
_MANY_LETTERS: Final = 12
_MOST_STEPS: Final = 100_000
"""Of a search, about 3 ms: a text of ours takes some thousand."""


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
    def is_lead(self) -> bool:
        """Something announced, as in `Error: {}`."""
        match self.parts:
            case (str(lead), Place()):
                return lead.endswith(": ")
            case _:
                return False

    @property
    def is_sure(self) -> bool:
        """It has so many words of its own that it cannot be found by chance in what somebody else wrote."""
        return self.is_lead or sum(letter.isalnum() for word in self.words for letter in word) >= _MANY_LETTERS

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
        return self._pattern(_ANYTHING if self.source.is_lead else _WITHIN_A_SENTENCE)

    @cached_property
    def _loose(self) -> re.Pattern[str]:
        return self._pattern(_ANYTHING)

    def _pattern(self, holds: str) -> re.Pattern[str]:
        parts = (
            re.escape(part)
            if isinstance(part, str)
            else (_NUMBER.pattern if self._kinds.get(part.number) == "number" else holds)
            for part in self.source.parts
        )
        return re.compile("".join(parts), re.DOTALL)

    def _steps(self, text: str) -> int:
        """How many at most are taken to find out, since each place may end wherever the words after it stand."""
        steps = len(text)
        for part, after in pairwise(self.source.parts[:-1]):
            if isinstance(part, Place):
                steps *= text.count(after) if isinstance(after, str) else len(text)
        return steps

    def said_again(self, text: str, spoken: Callable[[str], str], *, is_loose: bool = False) -> str | None:
        """`text` in the other language when it is this one, what fills its places `spoken` too where it is ours.

        A place holds no end of a sentence, unless it `is_loose`.
        """
        if self._steps(text) > _MOST_STEPS:
            return None
        found = (self._loose if is_loose else self._strict).fullmatch(text)
        if found is None:
            return None
        given = found.groups()
        filled = {place.number: self._held(place, given[place.number], spoken) for place in self.target.places}
        if None in filled.values() or (self.source.is_glue and not _is_any_ours(given, filled)):
            return None
        said = "".join(part if isinstance(part, str) else filled[part.number] or "" for part in self.target.parts)
        return _SPARE_BLANK.sub("", said)

    def _held(self, place: Place, held: str, spoken: Callable[[str], str]) -> str | None:
        """What is said in a place; None where too few words stand around what is neither name, number nor ours."""
        if place.kind == "none":
            return ""
        if place.kind != "word" and " " not in held and not held.endswith(_STOPS):
            return held  # a name, though it may be a word of ours too
        said = spoken(held)
        is_in_place = said != held or self.source.is_sure or place.kind == "text" or _NUMBER.match(held)
        return said if is_in_place or (not place.kind and _NAMES.fullmatch(held)) else None


def _is_any_ours(given: Sequence[str], filled: Mapping[int, str | None]) -> bool:
    return any(filled[number] != held for number, held in enumerate(given))
