"""One line of the catalogue: a text with places, recognised in a finished text and filled again in another language.

Knows `{}` and `{0}`, and what may be said of a place on the side of the translation: `{:word}` is one of our own words
even when it is a single one, `{:number}` only ever holds a number, `{:none}` is left unsaid. Refuses to know any text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import Final

KINDS: Final = ("", "word", "number", "none")

_NUMBER: Final = r"([-+~]?\d[\d.,_:/-]*[kMG]?%?)"
_FIGURE: Final = re.compile(r"[-+~]?\d")
_FULL_WIDTH: Final = "[\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff01\u3001\u3002]"
_BLANK_AT_A_FULL_WIDTH_MARK: Final = re.compile(rf"(?<={_FULL_WIDTH}) (?! )|(?<! ) (?={_FULL_WIDTH})")
_BOUNDARY: Final = re.compile(r"[.:;!?] |\n")
_WITHIN_A_SENTENCE: Final = rf"((?:(?!{_BOUNDARY.pattern}).)*?)"
_STOPS: Final = (".", "!", "?")
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
    def may_hold_anything(self) -> bool:
        """Its words are enough to know it by, whatever and however much stands in its places."""
        match self.parts:
            case (str(), Place()):
                return True  # as in `Error: {}`
            case _:
                return self.is_glue or not self.is_weak

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

        A place holds no end of a sentence, unless it `is_loose`; then what it holds is ours, or the template has words
        enough to be known by.
        """
        found = (self._loose if is_loose else self._strict).fullmatch(text)
        if found is None:
            return None
        given = found.groups()
        must_know = is_loose and not self.source.may_hold_anything
        filled = {
            place.number: self._held(place, given[place.number], spoken, must_know=must_know)
            for place in self.target.places
        }
        if None in filled.values() or (self.source.is_glue and not _is_any_ours(given, filled)):
            return None
        said = "".join(part if isinstance(part, str) else filled[part.number] or "" for part in self.target.parts)
        return _BLANK_AT_A_FULL_WIDTH_MARK.sub("", said)

    def _held(self, place: Place, held: str, spoken: Callable[[str], str], *, must_know: bool) -> str | None:
        """What is said in a place; None where a text of few words would have to hold what is none of ours."""
        if place.kind == "none":
            return ""
        if place.kind != "word" and " " not in held and not held.endswith(_STOPS):
            return held  # a name, though it may be a word of ours too
        said = spoken(held)
        if said != held or _FIGURE.match(held):
            return said
        is_strange = self.source.is_weak if place.kind == "word" else must_know and _BOUNDARY.search(held)
        return None if is_strange else said


def _is_any_ours(given: Sequence[str], filled: Mapping[int, str | None]) -> bool:
    return any(filled[number] != held for number, held in enumerate(given))
