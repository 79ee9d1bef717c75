"""What stands behind `?` in the calls of the admin page, read with limits: strangers to the page write it by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from iflow_cli_proxy.core.errors import InvalidRequest

LONGEST_TEXT: Final = 200
_MOST_DIGITS: Final = 19


def text_in(query: Mapping[str, str], name: str) -> str:
    """Empty where nothing is said. Raises InvalidRequest for more than anybody means."""
    text = query.get(name, "")
    if len(text) > LONGEST_TEXT:
        raise InvalidRequest(f"This is longer than {LONGEST_TEXT} characters.", param=name)
    if any(ord(character) < 32 for character in text):
        raise InvalidRequest("There are control characters in it.", param=name)  # a NUL ends a text of the database
    return text


def number_in(query: Mapping[str, str], name: str, *, usual: int, most: int, least: int = 0) -> int:
    """A whole number; larger ones mean `most`. Raises InvalidRequest."""
    text = query.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS) or int(text) < least:
        raise InvalidRequest(f"This takes a whole number of {least} or more.", param=name)
    return min(int(text), most)


def word_in(query: Mapping[str, str], name: str, words: Collection[str], *, usual: str) -> str:
    """One of these words. Raises InvalidRequest."""
    text = query.get(name, "") or usual
    if text not in words:
        raise InvalidRequest(f"This takes one of {', '.join(words)}.", param=name)
    return text


def flag_in(query: Mapping[str, str], name: str) -> bool:
    """Whether it is asked for: `1` or `true`. Raises InvalidRequest."""
    return word_in(query, name, ("0", "1", "false", "true"), usual="0") in ("1", "true")
