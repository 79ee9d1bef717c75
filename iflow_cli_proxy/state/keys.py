"""keys.toml: the client keys, by the digests of their secrets, for this person alone (RELIABILITY R11, I39, I40).

Knows how to change some keys without losing another process's change or a field it does not know, and never writes
over what it cannot read. Refuses to know the text (`key_entries.py`) and any secret. Everything here blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core.errors import ConfigError, StateError
from iflow_cli_proxy.pool.client_key import ClientKey
from iflow_cli_proxy.state.atomic import Stamp, read_private, remove_leftovers, stamp_of, write_private
from iflow_cli_proxy.state.key_entries import BadKeys, KeyText, NewerKeys, parse_keys, render_keys
from iflow_cli_proxy.state.lock import FileLock

PARAM: Final = "--name"
"""Marks an error as one of usage: a name on the command line that fits nothing."""
_EMPTY: Final = KeyText(tree={})


@dataclass(frozen=True, kw_only=True)
class Loaded:
    keys: tuple[ClientKey, ...]
    unknown: tuple[str, ...] = ()
    """Dotted names of fields that mean nothing to this version."""

    def has_usable(self, now: float) -> bool:
        """Whether anybody could call with one of them."""
        return any(key.is_usable(now) for key in self.keys)


class KeyFile:
    """The client keys of one file, safe beside other threads and processes that change it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Loaded:
        """Every key, in the order of the file; none when there is no file.

        Raises:
            StateError: it is damaged, with the line, or cannot be read.
        """
        text = self._read()
        return Loaded(keys=text.keys, unknown=text.unknown)

    def stamp(self) -> Stamp | None:
        return stamp_of(self.path)

    def add(self, key: ClientKey) -> None:
        """Keep a new key; one that was revoked makes room for another of its name.

        Raises:
            ConfigError: the name is taken.
            StateError: as `load`; nothing has changed then.
        """
        with FileLock(self.path):
            text = self._read()
            taken = next((one for one in text.keys if one.name == key.name), None)
            if taken is not None and taken.revoked_at is None:
                raise ConfigError(
                    f"There is a key called {key.name} already.",
                    param=PARAM,
                    hint=f"iflow2api key rotate {key.name}",
                )
            self._write(text, {key.name: key})

    def change(self, names: Iterable[str], edit: Callable[[ClientKey], ClientKey]) -> tuple[ClientKey, ...]:
        """Change keys together or not at all; the answer is what they are now, in the order of their names.

        Raises:
            ConfigError: one of them is not there, or `edit` says so.
            StateError: as `load`; nothing has changed then.
        """
        with FileLock(self.path):
            text = self._read()
            known = {key.name: key for key in text.keys}
            changed = {name: edit(find_key(known, name)) for name in dict.fromkeys(names)}
            if any(changed[name] != known[name] for name in changed):
                self._write(text, changed)
        return tuple(changed.values())

    def take_over(self, keys: Iterable[ClientKey]) -> tuple[ClientKey, ...]:
        """Keep keys of another program, each under a name that is free; those whose secret is known are left out.

        Raises:
            StateError: as `load`; nothing has changed then.
        """
        with FileLock(self.path):
            text = self._read()
            names = {key.name for key in text.keys}
            digests = {digest for key in text.keys for digest in (key.digest, *(old.digest for old in key.retiring))}
            added: dict[str, ClientKey] = {}
            for key in keys:
                if key.digest not in digests:
                    name = _free_name(key.name, names)
                    added[name] = replace(key, name=name)
                    names.add(name)
                    digests.add(key.digest)
            if added:
                self._write(text, added)
        return tuple(added.values())

    def _read(self) -> KeyText:
        data = read_private(self.path)
        if data is None:
            return _EMPTY
        try:
            return parse_keys(data)
        except NewerKeys as error:
            raise StateError(
                f"keys.toml cannot be used and stays as it is: {error}.",
                detail=str(self.path),
                hint="use that version for these keys; `iflow2api version` says which one this is",
            ) from error
        except BadKeys as error:
            raise StateError(
                f"keys.toml cannot be used and stays as it is: {error}.",
                detail=str(self.path),
                hint="correct that line, or move the file away and make new keys: iflow2api key create NAME",
            ) from error

    def _write(self, text: KeyText, changed: Mapping[str, ClientKey]) -> None:
        """Call it while holding the lock. What cannot be read again is not written."""
        remove_leftovers(self.path)
        data = render_keys(text, changed)
        parse_keys(data)
        write_private(self.path, data)


def find_key(known: Mapping[str, ClientKey], name: str) -> ClientKey:
    """Raises ConfigError, with the nearest name there is."""
    from difflib import get_close_matches

    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = (
        f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}" if known else "iflow2api key create NAME"
    )
    raise ConfigError(f"There is no key called {name!r}.", param=PARAM, hint=hint)


def _free_name(wanted: str, taken: set[str]) -> str:
    """The name itself, or with the first number that makes it another."""
    if wanted not in taken:
        return wanted
    return next(name for number in range(2, len(taken) + 3) if (name := f"{wanted[:56]}-{number}") not in taken)
