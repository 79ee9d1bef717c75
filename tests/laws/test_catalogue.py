"""The catalogue: each line keeps its places, and a text made from a line is said as that line has it."""

from __future__ import annotations

import re
from typing import Final

from iflow_cli_proxy.language.catalogue import Catalogue
from iflow_cli_proxy.language.template import Place, template
from tests.support.texts import known_texts

TEXTS: Final = known_texts()
CHINESE: Final = Catalogue(TEXTS)
FILLERS: Final = {"": "x{}", "word": "yes", "number": "{}2", "text": "what anybody wrote {}", "none": "are"}
QUOTED: Final = re.compile(r"`[^`]*`")
PLACE: Final = re.compile(r"\{\d*(?::\w+)?\}")


def test_a_line_has_the_same_places_on_both_sides() -> None:
    def numbers(text: str) -> list[int]:
        return sorted(place.number for place in template(text).places)

    assert [source for source, target in TEXTS.items() if numbers(source) != numbers(target)] == []


def test_what_is_to_be_typed_stays_as_it_is() -> None:
    def commands(text: str) -> list[str]:
        return sorted(PLACE.sub("{}", each) for each in QUOTED.findall(text))

    assert [source for source, target in TEXTS.items() if commands(source) != commands(target)] == []


def test_a_text_made_from_a_line_is_said_as_the_line_has_it() -> None:
    wrong = {}
    for source, target in TEXTS.items():
        kinds = {place.number: place.kind for place in template(target).places}
        if template(source).is_glue and "word" not in kinds.values():
            continue  # it says nothing by itself
        said = CHINESE.spoken(_filled(source, kinds, is_target=False))
        if _bare(said) != _bare(_filled(target, kinds, is_target=True)):
            wrong[source] = said

    assert wrong == {}


def _bare(text: str) -> str:
    """Blanks around a place go where Chinese needs none."""
    return text.replace(" ", "")


def _filled(text: str, kinds: dict[int, str], *, is_target: bool) -> str:
    def held(place: Place) -> str:
        kind = kinds.get(place.number, "")
        if is_target and kind in ("word", "none"):
            return CHINESE.spoken("yes") if kind == "word" else ""
        return FILLERS[kind].format(place.number)

    return "".join(part if isinstance(part, str) else held(part) for part in template(text).parts)
