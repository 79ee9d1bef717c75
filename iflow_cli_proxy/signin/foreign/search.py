"""Looks into files and folders for sign-ins of other programs. Reads only, and never more than is plausible.

Knows the disk. What a file means is for the modules beside this one; a file given by hand may be a link, for it is the
person's own.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.json_position import describe
from iflow_cli_proxy.signin.foreign.kinds import IFLOW_CLI, IFLOW_GO, KINDS, POOL, Kind, kind_of
from iflow_cli_proxy.signin.foreign.places import ACCOUNTS_FOLDER, IFLOW_FILES, POOL_VARIABLE, KnownPlace
from iflow_cli_proxy.signin.foreign.reading import Part, Reading
from iflow_cli_proxy.state.bundle import is_bundle

LARGEST_BYTES: Final = 4 << 20
MOST_FILES: Final = 500
"""In one folder."""

_CLOEXEC: Final = getattr(os, "O_CLOEXEC", 0)
_NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_TELLING_NAME: Final = re.compile(
    r"(settings|iflow_accounts|keys|config|oauth_creds.*|(iflow|qwen)-.+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json"
)
"""In a folder, a damaged file of such a name is worth a word."""
_LOOKED_FOR: Final = (
    f"understood are {', '.join(IFLOW_FILES)}, oauth_creds_*.json, keys.json, config.json, iflow-*.json, qwen-*.json, "
    f"{'/'.join(ACCOUNTS_FOLDER)}/*.json, account files, and what `iflow2api token export` writes"
)
_NAME_IT: Final = f"say whose file it is: --from {', '.join(kind.name for kind in KINDS)}"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one sign-in's files, one pool or one variable hold."""

    where: str
    program: str
    reading: Reading


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A file nothing could be made of."""

    where: str
    problem: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Accounts that were exported by us; only the passphrase opens them."""

    where: str
    data: bytes


Result: TypeAlias = Found | Unreadable | Bundle


class _Bad(Exception):
    """A file that cannot be used, with the reason."""


def look_at(path: Path, environ: Mapping[str, str], kind: Kind | None = None) -> list[Result]:
    """What is in a file or a folder; `kind` is the program when a person names it.

    Of the folders below only that is looked into in which iflow-go keeps its accounts: people name its project folder.
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
        return _folder(path, environ, kind) if is_folder else _file(path, environ, kind)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return [Unreadable(where=str(path), problem=_reason(error))]


def look_everywhere(places: Iterable[KnownPlace], environ: Mapping[str, str]) -> list[Result]:
    """What is in the known places; those that do not exist are passed over in silence."""
    results: list[Result] = []
    for place in places:
        if place.kind is POOL and environ.get(POOL_VARIABLE, "").strip():
            results += _inline(environ[POOL_VARIABLE], environ)
            continue
        try:
            files = _matching(place)
        except OSError as error:
            results.append(Unreadable(where=str(place.folder), problem=_reason(error)))
            continue
        results += _read_all(files, environ, place.kind)
    return results


def _inline(text: str, environ: Mapping[str, str]) -> list[Result]:
    try:
        part = Part(path=Path(POOL_VARIABLE), tree=_tree(text.encode()))
    except _Bad as error:
        return [Unreadable(where=POOL_VARIABLE, problem=str(error))]
    return [_understood(POOL, [part], POOL_VARIABLE, environ)]


def _matching(place: KnownPlace) -> list[Path]:
    """The files of a place, each once, in the order of its patterns."""
    found: dict[Path, None] = {}
    for name in place.names:
        candidates = sorted(place.folder.glob(name)) if "*" in name else [place.folder / name]
        found |= dict.fromkeys(path for path in candidates[:MOST_FILES] if path.exists())
    return list(found)


def _file(path: Path, environ: Mapping[str, str], kind: Kind | None) -> list[Result]:
    """A file by itself; of iFlow's client also the rest of the sign-in, for the newest key may be in another file."""
    try:
        data, modified_at = _read(path)
        if is_bundle(data):
            return [Bundle(where=str(path), data=data)]
        tree = _tree(data)
    except _Bad as error:
        return [Unreadable(where=str(path), problem=str(error))]
    kind = kind or kind_of(tree, path)
    if kind is None:
        return [Unreadable(where=str(path), problem="is no sign-in that is known here", hint=_NAME_IT)]
    if kind is IFLOW_CLI and path.name in IFLOW_FILES:
        siblings = (path.with_name(name) for name in IFLOW_FILES if name != path.name)
        return _read_all([path, *siblings], environ, kind)
    part = Part(path=path, tree=tree, modified_at=modified_at)
    return [_understood(kind, [part], str(path), environ)]


def _folder(folder: Path, environ: Mapping[str, str], kind: Kind | None) -> list[Result]:
    results = _scan(folder, environ, kind)
    accounts = folder.joinpath(*ACCOUNTS_FOLDER)
    if kind in (None, IFLOW_GO) and accounts.is_dir():
        results += _scan(accounts, environ, kind)
    if not results:
        results.append(Unreadable(where=str(folder), problem="holds no sign-in that is known here", hint=_LOOKED_FOR))
    return results


def _scan(folder: Path, environ: Mapping[str, str], kind: Kind | None) -> list[Result]:
    files = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    results = _read_all(files[:MOST_FILES], environ, kind, is_scan=True)
    if files[MOST_FILES:]:
        problem = f"holds more than {MOST_FILES} files; the others are not read"
        results.append(Unreadable(where=str(folder), problem=problem))
    return results


def _read_all(
    files: Sequence[Path], environ: Mapping[str, str], kind: Kind | None, *, is_scan: bool = False
) -> list[Result]:
    """The files one by one, and those that are one sign-in together. In a scan, files of nobody's are passed over."""
    results: list[Result] = []
    group: list[Part] = []
    for path in files:
        try:
            data, modified_at = _read(path)
            part = Part(path=path, tree=_tree(data), modified_at=modified_at)
        except FileNotFoundError:
            continue
        except (_Bad, OSError) as error:
            if not is_scan or _TELLING_NAME.fullmatch(path.name):
                results.append(Unreadable(where=str(path), problem=_reason(error)))
            continue
        known = kind or kind_of(part.tree, path)
        if known is not None and known.is_group:
            group.append(part)
        elif known is not None:
            results.append(_understood(known, [part], str(path), environ))
    return [*_together(group, environ), *results]


def _together(group: Sequence[Part], environ: Mapping[str, str]) -> Iterator[Result]:
    if group:
        where = str(group[0].path if len(group) == 1 else group[0].path.parent)
        yield _understood(IFLOW_CLI, group, where, environ)


def _understood(kind: Kind, parts: Sequence[Part], where: str, environ: Mapping[str, str]) -> Found:
    """What the parts say; each account knows the file it came from, by its whole path."""
    reading = kind.read(parts, environ)
    origin = where if where == POOL_VARIABLE else str(parts[0].path.absolute())
    accounts = tuple(replace(one, imported_from=one.imported_from or origin) for one in reading.accounts)
    return Found(where=where, program=kind.program, reading=replace(reading, accounts=accounts))


def _read(path: Path) -> tuple[bytes, float]:
    """The whole file and its age. Raises _Bad, or OSError."""
    # Non-blocking, so that a pipe cannot hold us.
    descriptor = os.open(path, os.O_RDONLY | _CLOEXEC | _NONBLOCK | _BINARY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _Bad("is no ordinary file")
        if status.st_size > LARGEST_BYTES:
            raise _Bad(f"is larger than any sign-in ({status.st_size >> 20} MiB)")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(LARGEST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(data) > LARGEST_BYTES:
        raise _Bad("is larger than any sign-in")
    return data, status.st_mtime


def _tree(data: bytes) -> dict[str, jsonx.Json]:
    if not data.strip():
        raise _Bad("is empty")
    try:
        tree = jsonx.decode_strict(data)
    except jsonx.JsonError as error:
        raise _Bad(f"is damaged: {describe(error, data)}") from error
    if not isinstance(tree, dict):
        raise _Bad("is not a JSON object")
    return tree


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or type(error).__name__}"
    return str(error)
