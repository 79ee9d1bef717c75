"""From a raw value to a typed one, and from the text of an environment variable to a raw value.

Knows the types a setting may have. Refuses to know names, files and precedence. What it raises never repeats the
value, which may be a secret.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from iflow_cli_proxy.config.leaf import LeafSpec, Note
from iflow_cli_proxy.config.origin import nearest
from iflow_cli_proxy.core.secret import Secret, mask, mask_url

_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})


class Mismatch(ValueError):
    """The value is not what the setting takes; the text says what is."""


def typed(spec: LeafSpec, raw: object) -> Any:
    """The value as the setting's type, in range and past its check.

    Raises:
        Mismatch: saying what was expected.
    """
    value = _as(spec.type, raw, spec.note)
    complaint = spec.note.check(value) if spec.note.check else ""
    if complaint:
        raise Mismatch(complaint)
    return value


def from_text(hint: Any, text: str) -> Any:
    """What an environment variable or `config set` means: a TOML-like value that `typed` then judges.

    Lists are separated by commas or written as TOML, tables are TOML. Text that cannot be what the type asks for comes
    back as text, so that there is one place that complains.
    """
    kind = get_origin(hint) or hint
    if hint is bool:
        word = text.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else text
    if hint is int or hint is float:
        return _number(hint, text)
    if hint is object:
        return _toml(text)
    if kind is tuple:
        if text.lstrip().startswith("["):
            return _toml(text)
        return [from_text(get_args(hint)[0], part.strip()) for part in text.split(",") if part.strip()]
    if is_table(kind) or (_is_union(kind) and text.lstrip().startswith("{")):
        return _toml(text)
    return text


def table_from_text(text: str) -> object:
    """A whole TOML inline table, for `IFLOW2API_PROVIDERS='{ desk = {...} }'`."""
    return _toml(text)


def plain(value: object, note: Note | None = None, *, reveal: bool) -> Any:
    """The value as TOML and JSON can hold it; what is secret in it stays masked unless asked to reveal."""
    match value:
        case Secret():
            return value.reveal() if reveal else str(value)
        case tuple() | list():
            return [plain(item, reveal=reveal) for item in value]
        case Mapping() if note and note.hides_values and not reveal:
            return {key: mask(str(item)) for key, item in value.items()}
        case Mapping():
            return {key: plain(item, reveal=reveal) for key, item in value.items()}
        case str() if note and note.is_url and not reveal:
            return mask_url(value)
        case float() if note and value.is_integer():
            return int(value)
        case _:
            return value


def is_table(kind: Any) -> bool:
    """True for a setting whose value is a table of free names."""
    kind = get_origin(kind) or kind
    return isinstance(kind, type) and issubclass(kind, Mapping)


def is_secret(spec: LeafSpec) -> bool:
    """True for a setting whose value must not be typed where others can read it."""
    return Secret in (spec.type, *get_args(spec.type))


def describe(spec: LeafSpec) -> str:
    """What a setting takes, with its range: "a whole number between 0 and 65535"."""
    return _ranged(takes(spec.type), spec.note)


def takes(hint: Any) -> str:
    """What a type takes, in words: "true or false", "one of auto, plain, mimic"."""
    kind = get_origin(hint) or hint
    if kind is Literal:
        choices = ", ".join(choice or '""' for choice in get_args(hint))
        return f"one of {choices}"
    if _is_union(kind):
        return " or ".join(takes(arm) for arm in get_args(hint))
    if kind is tuple:
        return f"a list of {_SEVERAL.get(get_args(hint)[0], takes(get_args(hint)[0]))}"
    if is_table(kind):
        return f"a table with {takes(get_args(hint)[1])} for each name"
    return _WORDS[hint]


_WORDS: Final[Mapping[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Secret: "text",
    object: "any value",
}


_SEVERAL: Final[Mapping[Any, str]] = {int: "whole numbers", str: "texts", Secret: "texts"}


def _as(hint: Any, raw: object, note: Note) -> Any:
    kind = get_origin(hint) or hint
    if kind is Literal:
        return _choice(get_args(hint), raw)
    if _is_union(kind):
        return _first_arm(hint, raw, note)
    if kind is tuple:
        if not isinstance(raw, list | tuple):
            raise Mismatch(takes(hint))
        return tuple(_item(hint, get_args(hint)[0], item, note) for item in raw)
    if is_table(kind):
        if not isinstance(raw, Mapping):
            raise Mismatch(takes(hint))
        return {_text(key): _item(hint, get_args(hint)[1], item, note) for key, item in raw.items()}
    if hint is object:
        return raw
    return _SCALARS[hint](raw, note)


def _item(whole: Any, hint: Any, raw: object, note: Note) -> Any:
    try:
        return _as(hint, raw, note)
    except Mismatch:
        raise Mismatch(_ranged(takes(whole), note)) from None


def _choice(choices: tuple[str, ...], raw: object) -> str:
    if isinstance(raw, str) and raw in choices:
        return raw
    expected = takes(Literal[choices])
    guess = nearest(raw, choices) if isinstance(raw, str) else ""
    raise Mismatch(f'{expected} (did you mean "{guess}"?)' if guess else expected)


def _first_arm(hint: Any, raw: object, note: Note) -> Any:
    for arm in get_args(hint):
        try:
            return _as(arm, raw, note)
        except Mismatch:
            continue
    raise Mismatch(takes(hint))


def _bool(raw: object, _: Note) -> bool:
    if not isinstance(raw, bool):
        raise Mismatch(_WORDS[bool])
    return raw


def _int(raw: object, note: Note) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise Mismatch(_ranged(_WORDS[int], note))
    _check_range(raw, _WORDS[int], note)
    return raw


def _float(raw: object, note: Note) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise Mismatch(_ranged(_WORDS[float], note))
    try:
        value = float(raw)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise Mismatch(_ranged(_WORDS[float], note))
    _check_range(value, _WORDS[float], note)
    return value


def _str(raw: object, _: Note) -> str:
    if not isinstance(raw, str):
        raise Mismatch(_WORDS[str])
    return _text(raw)


def _secret(raw: object, note: Note) -> Secret:
    return raw if isinstance(raw, Secret) else Secret(_str(raw, note))


_SCALARS: Final[Mapping[Any, Callable[[object, Note], Any]]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: _str,
    Secret: _secret,
}


def _text(value: str) -> str:
    """Text on one line that can be written as UTF-8 (an environment may hold other bytes)."""
    if any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in value):
        raise Mismatch("text in UTF-8 on one line, without control characters")
    return value


def _check_range(value: float, words: str, note: Note) -> None:
    too_low = note.low is not None and value < note.low
    too_high = note.high is not None and value > note.high
    if too_low or too_high:
        raise Mismatch(_ranged(words, note))


def _ranged(words: str, note: Note) -> str:
    match note.low, note.high:
        case None, None:
            return words
        case low, None:
            return f"{words}, {_figure(low)} or more"
        case None, high:
            return f"{words}, at most {_figure(high)}"
        case low, high:
            return f"{words} between {_figure(low)} and {_figure(high)}"


def _figure(value: float | None) -> str:
    return "" if value is None else str(int(value)) if float(value).is_integer() else str(value)


def _number(hint: Any, text: str) -> Any:
    try:
        return hint(text)
    except ValueError:
        return text


def _toml(text: str) -> object:
    try:
        tree = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return tree["value"] if len(tree) == 1 else text


def _is_union(kind: Any) -> bool:
    return kind is Union or kind is UnionType
