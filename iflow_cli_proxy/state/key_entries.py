"""The text of keys.toml: tables under [keys.NAME] to client keys and back, strict where leniency would open a door.

A field that is known must be right, since a limit that is not understood would be no limit. A field that is not known
is kept and named. Refuses to know files and locks (`keys.py`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf, isfinite
from typing import Any, Final, TypeGuard

from iflow_cli_proxy.config.lines import line_numbers
from iflow_cli_proxy.core.instants import epoch
from iflow_cli_proxy.pool.client_key import DIGEST_BYTES, NAME, Budget, ClientKey, Retiring

VERSION: Final = 1
_HEADER: Final = "# Client keys, written by `iflow2api key`; comments are not kept. Secrets are not in here.\n"
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_LONGEST_NOTE: Final = 500
_MOST_GLOBS: Final = 200
LARGEST_LIMIT: Final = 10**15
_FIELDS: Final = frozenset(
    {
        "digest", "retiring", "models", "accounts", "pool", "rpm", "tpm", "concurrency", "budget",
        "created_at", "expires_at", "revoked_at", "disabled", "note",
    }
)  # fmt: skip


class BadKeys(ValueError):
    """The text is not what it should be; says what and on which line, and nothing secret."""


class NewerKeys(BadKeys):
    """It may well be right, but for a version of ours that is not this one."""


class _Wrong(ValueError):
    """One field; `name` is where, below the table of its key."""

    def __init__(self, expected: str, *name: str) -> None:
        super().__init__(expected)
        self.name = name


@dataclass(frozen=True, kw_only=True)
class KeyText:
    """What one reading of the file found."""

    tree: dict[str, Any]
    keys: tuple[ClientKey, ...] = ()
    unknown: tuple[str, ...] = ()
    """Dotted names of fields that mean nothing here: a limit misspelt by hand is no limit."""


def parse_keys(data: bytes) -> KeyText:
    """Raises BadKeys."""
    tree, text = _tree(data)
    lines = line_numbers(text)
    version = tree.get("version")
    if not _is_whole(version) or version < 1:
        raise BadKeys(_placed("it does not begin with version = 1", lines.get(("version",))))
    if version > VERSION:
        raise NewerKeys("it was written by a newer iflow2api")
    tables = tree.get("keys", {})
    if not isinstance(tables, dict):
        raise BadKeys(_placed("keys is no table", lines.get(("keys",))))
    keys: dict[bytes, ClientKey] = {}
    unknown = [name for name in tree if name not in ("version", "keys")]
    for name, table in tables.items():
        try:
            key = _decode(name, table)
            if same := next((keys[each] for each in _every_digest(key) if each in keys), None):
                raise _Wrong(f"is that of {same.name} too", "digest")
        except _Wrong as error:
            path = ("keys", name, *error.name)
            raise BadKeys(_placed(f"{_dotted(path)} {error}", _line(lines, path))) from error
        keys.update(dict.fromkeys(_every_digest(key), key))
        unknown += [_dotted(("keys", name, field)) for field in table if field not in _FIELDS]
    return KeyText(tree=tree, keys=tuple({key.name: key for key in keys.values()}.values()), unknown=tuple(unknown))


def render_keys(text: KeyText, changed: Mapping[str, ClientKey]) -> bytes:
    """The whole text with some keys put in; whatever is not known of them and of the others stays as it is."""
    import tomli_w

    tables = dict(text.tree.get("keys", {}))
    for name, key in changed.items():
        unknown = {field: value for field, value in tables.get(name, {}).items() if field not in _FIELDS}
        tables[name] = {**_encode(key), **unknown}
    return (_HEADER + tomli_w.dumps({"version": VERSION, **text.tree, "keys": tables})).encode()


def check_note(note: str) -> str:
    """What is wrong with a note, or nothing (I40)."""
    if _CONTROL.search(note):
        return "may hold no control characters"
    return f"is longer than {_LONGEST_NOTE} characters" if len(note) > _LONGEST_NOTE else ""


def check_globs(globs: tuple[str, ...]) -> str:
    """What is wrong with a list of globs, or nothing."""
    if len(globs) > _MOST_GLOBS:
        return f"is longer than {_MOST_GLOBS} names"
    if any(not glob or glob != glob.strip() or len(glob) > _LONGEST_NOTE or _CONTROL.search(glob) for glob in globs):
        return "has a name that is empty, too long or has blanks around it or control characters in it"
    return ""


def check_name(name: str) -> str:
    """What is wrong with the name of a key or pool, or nothing (I39)."""
    return "" if NAME.fullmatch(name) else "takes a-z, 0-9, - and _ (63 at most), the first a letter or digit"


# --- values of the file -------------------------------------------------------------------------------------------


def _decode(name: str, table: object) -> ClientKey:
    if problem := check_name(name):
        raise _Wrong(f"is no name of a key: it {problem}")
    if not isinstance(table, dict):
        raise _Wrong("is no table")
    return ClientKey(
        name=name,
        digest=_digest(table.get("digest"), "digest"),
        retiring=_retiring(table.get("retiring", {})),
        models=_globs(table, "models"),
        accounts=_globs(table, "accounts"),
        pool=_pool(table),
        rpm=_limit(table, "rpm"),
        tpm=_limit(table, "tpm"),
        concurrency=_limit(table, "concurrency"),
        budget=_budget(table["budget"]) if "budget" in table else None,
        created_at=_moment(table, "created_at", 0.0),
        expires_at=_moment(table, "expires_at", inf),
        revoked_at=_moment(table, "revoked_at", 0.0) if "revoked_at" in table else None,
        is_disabled=_flag(table, "disabled"),
        note=_text(table, "note", check_note),
    )


def _encode(key: ClientKey) -> dict[str, Any]:
    """Only what says something: limits that are none are left out."""
    fields: dict[str, Any] = {"digest": _shown(key.digest), "created_at": _date(key.created_at)}
    fields |= {name: list(globs) for name, globs in (("models", key.models), ("accounts", key.accounts)) if globs}
    fields |= {name: value for name in ("pool", "rpm", "tpm", "concurrency", "note") if (value := getattr(key, name))}
    if isfinite(key.expires_at):
        fields["expires_at"] = _date(key.expires_at)
    if key.revoked_at is not None:
        fields["revoked_at"] = _date(key.revoked_at)
    if key.is_disabled:
        fields["disabled"] = True
    if key.budget is not None:
        amount = key.budget.amount
        whole = int(amount) if key.budget.unit == "tokens" else amount
        fields["budget"] = {key.budget.unit: whole, "per": key.budget.per}
    if key.retiring:
        fields["retiring"] = {_shown(one.digest): _date(one.until) for one in key.retiring}
    return fields


def _digest(value: object, *name: str) -> bytes:
    match = _DIGEST.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _Wrong(f"has to be sha256: and {DIGEST_BYTES * 2} hex digits", *name)
    return bytes.fromhex(match[1])


def _retiring(value: object) -> tuple[Retiring, ...]:
    if not isinstance(value, dict):
        raise _Wrong("is no table", "retiring")
    return tuple(
        Retiring(digest=_digest(name, "retiring"), until=_moment(value, name, 0.0, "retiring")) for name in value
    )


def _globs(table: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(glob, str) for glob in value):
        raise _Wrong("has to be a list of texts", name)
    if name in table and not value:
        raise _Wrong("is empty; leave it out to allow everything", name)
    globs = tuple(value)
    if problem := check_globs(globs):
        raise _Wrong(problem, name)
    return globs


def _pool(table: Mapping[str, object]) -> str:
    value = table.get("pool", "")
    if not isinstance(value, str) or ("pool" in table and not value):
        raise _Wrong("has to be the name of a table [pools.NAME]", "pool")
    if problem := check_note(value):
        raise _Wrong(problem, "pool")
    return value


def _limit(table: Mapping[str, object], name: str) -> int:
    """0 is refused like anything that is no limit: written down, it could as well mean that nothing is allowed."""
    value = table.get(name)
    if name not in table:
        return 0
    if not _is_whole(value) or not 0 < value <= LARGEST_LIMIT:
        raise _Wrong("has to be a whole number above 0; leave it out for no limit", name)
    return value


def _budget(value: object) -> Budget:
    expected = 'has to be { tokens = 1000000, per = "day" } or { usd = 5.0, per = "month" }'
    match value:
        case {"tokens": int(amount), "per": ("day" | "month") as per, **rest}:
            unit = "tokens"
        case {"usd": int(amount) | float(amount), "per": ("day" | "month") as per, **rest}:
            unit = "usd"
        case _:
            raise _Wrong(expected, "budget")
    if isinstance(amount, bool) or not 0 < amount <= LARGEST_LIMIT or rest:
        raise _Wrong(expected, "budget")
    return Budget(amount=float(amount), unit=unit, per=per)  # type: ignore[arg-type]  # the patterns allow no others


def _moment(table: Mapping[str, object], name: str, default: float, *above: str) -> float:
    value = table.get(name)
    if name not in table:
        return default
    if not isinstance(value, datetime):
        raise _Wrong("has to be a moment such as 2027-01-31T00:00:00Z", *above, name)
    try:
        seconds = epoch(value)
        _date(seconds)
    except (OverflowError, ValueError):  # beyond either end of the calendar once it is of UTC
        raise _Wrong("is no moment that can be reckoned with", *above, name) from None
    return seconds


def _flag(table: Mapping[str, object], name: str) -> bool:
    value = table.get(name, False)
    if not isinstance(value, bool):
        raise _Wrong("has to be true or false", name)
    return value


def _text(table: Mapping[str, object], name: str, check: Callable[[str], str]) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise _Wrong("has to be a text", name)
    if problem := check(value):
        raise _Wrong(problem, name)
    return value


def _shown(digest: bytes) -> str:
    return f"sha256:{digest.hex()}"


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


def _every_digest(key: ClientKey) -> tuple[bytes, ...]:
    return (key.digest, *(one.digest for one in key.retiring))


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


# --- the text -----------------------------------------------------------------------------------------------------


def _tree(data: bytes) -> tuple[dict[str, Any], str]:
    try:
        text = data.decode("utf-8-sig")
        return tomllib.loads(text), text
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadKeys(_placed("it is not UTF-8", line)) from error
    except tomllib.TOMLDecodeError as error:
        position = _POSITION.search(str(error))
        line = int(position[1]) if position and position[1] else data.count(b"\n") + 1
        raise BadKeys(_placed("it is not TOML", line)) from error
    except (ValueError, RecursionError) as error:
        raise BadKeys("it has a number too long or brackets too deep to read") from error


def _placed(problem: str, line: int | None) -> str:
    return f"{problem} (line {line})" if line else problem


def _line(lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int | None:
    """Of the field, or of the nearest table around it that is written down."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(part if re.fullmatch(r"[\w-]{1,64}", part, re.ASCII) else "(?)" for part in path)
