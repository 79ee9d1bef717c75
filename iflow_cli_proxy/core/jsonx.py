"""The one door to JSON: strict decoding with named paths, compact encoding, raw top-level fields.

The rest of the house never imports a JSON library. Everything that can be wrong with a text comes out as
`JsonError`; whether that is the client's fault or the upstream's is for the caller to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from iflow_cli_proxy.core.crowd import is_crowded

Json: TypeAlias = Any
"""None, bool, int, float, str, list or dict, as decoded."""
Raw = msgspec.Raw
"""A JSON value kept as the bytes it came in."""
T = TypeVar("T")

MAX_DEPTH: Final = 100
_LONG_BYTES: Final = 16_384
_BOM: Final = b"\xef\xbb\xbf"
_TOO_DEEP: Final = f"nested deeper than {MAX_DEPTH} levels"
_TOO_MANY: Final = "more lists, objects or keys than anybody means"
_MOST_FIELDS: Final = 1000
_MANY_COLONS: Final = 100_000
_AT: Final = re.compile(r"^(?P<what>.*?) - at `(?:key in )?\$\.?(?P<path>.*)`$", re.DOTALL)
_MISSING: Final = re.compile(r"^Object missing required field `(?P<name>.*)`$", re.DOTALL)
_ODD_FORM: Final = re.compile(r"^Expected `str` matching regex ")

_decode_any: Final = msgspec.json.Decoder().decode
_decode_raw: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_encode: Final = msgspec.json.Encoder().encode


class JsonError(ValueError):
    """Not JSON, or not the JSON that was asked for. `path` is like `messages[0].role`, empty for the whole text."""

    def __init__(self, what: str, path: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.path = path

    @property
    def is_cut(self) -> bool:
        """Whether the text would have been good so far, had it gone on."""
        return self.what == "Input data was truncated"


def encode(value: Json | msgspec.Struct) -> bytes:
    """Compact UTF-8; `Raw` values anywhere inside are copied as they are."""
    return _encode(value)


def indented(value: Json) -> bytes:
    """The same over several lines, ending in a newline: for files that people read and edit."""
    return msgspec.json.format(_encode(value), indent=2) + b"\n"


def decode(data: bytes | str) -> Json:
    """The value of a whole text; a byte order mark is tolerated. Raises JsonError."""
    return _guarded(_decode_any, data)


def decode_strict(data: bytes) -> Json:
    """Like `decode`, no deeper than MAX_DEPTH and not crowded: for texts written by strangers."""
    if is_crowded(data):
        raise JsonError(_TOO_MANY)
    value = _guarded(_decode_any, data)
    # A short text is asked first whether it has the brackets; of a long one walking the values is the quicker test.
    has_room = len(data) > _LONG_BYTES or data.count(b"[") + data.count(b"{") > MAX_DEPTH
    if has_room and is_deeper(value, MAX_DEPTH):
        raise JsonError(_TOO_DEEP)
    return value


def field_at_fault(data: bytes) -> str:
    """Which top-level field makes `decode_strict` refuse an object; empty when that cannot be told."""
    try:
        fields = raw_fields(data) if data.count(b":") <= _MANY_COLONS else {}
    except JsonError:
        return ""
    if len(fields) > _MOST_FIELDS:
        return ""
    for name, raw in fields.items():
        try:
            decode_strict(b"[%b]" % bytes(raw))
        except JsonError:
            return name
    return ""


def raw_fields(data: bytes) -> dict[str, Any]:
    """The top-level fields of an object, each still as bytes; of a repeated field the last one. Raises JsonError."""
    return _guarded(_decode_raw, data)


def typed(shape: type[T]) -> Callable[[bytes], T]:
    """A decoder for one shape, to be made once. The result raises JsonError."""
    inner = msgspec.json.Decoder(shape).decode
    return lambda data: _guarded(inner, data)


def convert(value: Json, shape: type[T], path: str = "") -> T:
    """A decoded value as `shape`; `path` is where the value stands. Raises JsonError."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise _named(error, path) from error


def schemas(shapes: Iterable[type], prefix: str) -> dict[str, Json]:
    """JSON Schema of Structs and of all they hold, by name; a reference is `prefix` and a name."""
    _, found = msgspec.json.schema_components(shapes, ref_template=f"{prefix}{{name}}")
    return found


def to_builtins(value: msgspec.Struct) -> dict[str, Json]:
    """A Struct as plain values, ready to be encoded or compared."""
    plain: dict[str, Json] = msgspec.to_builtins(value)
    return plain


def is_deeper(value: Json, limit: int) -> bool:
    """Whether lists and objects nest deeper than `limit`; walks level by level, so it cannot overflow itself."""
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return False
    return bool(level)


def without(fields: Mapping[str, Json], *names: str) -> dict[str, Json]:
    """A copy that lacks `names`."""
    return {name: value for name, value in fields.items() if name not in names}


def _guarded(decoder: Callable[[Any], T], data: bytes | str) -> T:
    try:
        return _without_surprises(decoder, data)
    except JsonError:
        if isinstance(data, bytes) and data.startswith(_BOM):
            return _without_surprises(decoder, data[len(_BOM) :])
        raise


def _without_surprises(decoder: Callable[[Any], T], data: bytes | str) -> T:
    try:
        return decoder(data)
    except UnicodeDecodeError as error:
        raise JsonError("not valid UTF-8") from error
    except RecursionError as error:
        raise JsonError(_TOO_DEEP) from error
    except msgspec.DecodeError as error:
        raise _named(error, "") from error
    except ValueError as error:  # an int of more digits than Python converts
        raise JsonError("Number out of range") from error


def _named(error: Exception, prefix: str) -> JsonError:
    """The same with its path apart; a missing field is named by its own path, not by that of its parent."""
    text = str(error)
    found = _AT.match(text)
    what, path = (found["what"], found["path"]) if found else (text, "")
    if missing := _MISSING.match(what):
        what, path = "Field required", f"{path}.{missing['name']}" if path else missing["name"]
    elif _ODD_FORM.match(what):
        what = "Text of another form than is expected here"  # and no regex, which tells a person nothing
    if path and prefix and not path.startswith("["):
        path = "." + path
    return JsonError(what.removeprefix("JSON is malformed: ").replace("`", ""), prefix + path.removesuffix("[...]"))
