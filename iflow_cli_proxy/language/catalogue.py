"""The catalogue: every text of ours that a person can read, as it is in another language.

Knows `zh.toml` and how the line is found that a finished text was made from. It is read once, when the first text is
wanted in that language, so English costs nothing.
"""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.language.template import Entry, template

_FOLDER: Final = Path(__file__).parent
_REMEMBERED: Final = 2048
_LONGEST: Final = 4000
"""Characters; what is longer was not written by us, and a search in it would take long."""
_DEEPEST: Final = 64
"""Texts inside of texts: a list of names is one of its first and of all the others, and a stack has an end."""
_SENTENCE_END: Final = re.compile(r"(?<=[.!?]) +(?=[A-Z`])")

_FULL_STOPS: Final = ("\u3002", "\uff01", "\uff1f")


class Catalogue:
    """Finds the entry for a text: the same text first, then the template with the most words of its own."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        entries = [(source, Entry(template(source), template(target))) for source, target in texts.items()]
        self._exact = {
            _plain(source): "".join(entry.target.words) for source, entry in entries if not _has_places(entry)
        }
        self._templates = sorted(
            (entry for _, entry in entries if _has_places(entry)),
            key=lambda entry: -sum(map(len, entry.source.words)),
        )
        self._nested = threading.local()
        self.spoken = lru_cache(_REMEMBERED)(self._spoken)

    def _spoken(self, text: str) -> str:
        """As a whole, else line by line, else sentence by sentence, else as it is."""
        core = text.strip()
        said = self._core(core) if 0 < len(core) <= _LONGEST else core
        return text.replace(core, said, 1) if core else text

    def _core(self, text: str) -> str:
        if (said := self._whole(text)) is not None:
            return said
        if "\n" in text:
            lines = text.split("\n")
            said_lines = [self.spoken(line) for line in lines]
            return "\n".join(said_lines) if said_lines != lines else self._loosely(text) or text
        sentences = _SENTENCE_END.split(text)
        said_sentences = [self.spoken(sentence) for sentence in sentences] if len(sentences) > 1 else sentences
        if all(said != sentence for said, sentence in zip(said_sentences, sentences, strict=True)):
            return joined(said_sentences)
        return self._loosely(text) or joined(said_sentences)

    def _whole(self, text: str) -> str | None:
        return self._exact.get(text) or self._from_template(text, self._templates)

    def _loosely(self, text: str) -> str | None:
        return self._from_template(text, self._templates, is_loose=True)

    def _inside(self, text: str) -> str:
        """What fills a place."""
        depth = getattr(self._nested, "depth", 0)
        if depth >= _DEEPEST:
            return text
        self._nested.depth = depth + 1
        try:
            return self.spoken(text)
        finally:
            self._nested.depth = depth

    def _from_template(self, text: str, entries: Iterable[Entry], *, is_loose: bool = False) -> str | None:
        for entry in entries:
            if entry.longest in text:
                said = entry.said_again(text, self._inside, is_loose=is_loose)
                if said is not None:
                    return said
        return None


def joined(sentences: Iterable[str]) -> str:
    """Sentences one after the other; after a full-width stop there is no space."""
    text = ""
    for sentence in sentences:
        gap = "" if not text or text.endswith(_FULL_STOPS) else " "
        text += gap + sentence
    return text


@cache
def catalogue(language: str) -> Catalogue:
    """Raises ValueError for a language nobody wrote."""
    return Catalogue(_tables(language)["program"])


@cache
def page_texts(language: str) -> Mapping[str, str]:
    """What the admin page says, by its English."""
    texts: Mapping[str, str] = _tables(language)["page"]
    return texts


def _tables(language: str) -> dict[str, Any]:
    file = _FOLDER / f"{language}.toml"
    if not language.isalpha() or not file.is_file():
        raise ValueError(f"there is no catalogue for {language!r}")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _has_places(entry: Entry) -> bool:
    return bool(entry.source.places)


def _plain(source: str) -> str:
    return "".join(template(source).words)
