"""The folder of accounts: one JSON file each, for this person alone (RELIABILITY R11, F51 to F53, I39, I41, I42).

Knows names, locks, backups and what to do with a file that is damaged. Refuses to write over anything it cannot read,
and to know the text inside (`state/account_file.py`) and where keys come from (`state/vault.py`). Everything here
blocks.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import InvalidRequest, StateError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.state.account_file import (
    FindSeal,
    Unreadable,
    decode_account,
    encode_account,
    sealed_by,
    version_in,
)
from iflow_cli_proxy.state.atomic import (
    Stamp,
    read_private,
    remove_leftovers,
    remove_private,
    rename_private,
    stamp_of,
    tighten_folder,
    write_private,
)
from iflow_cli_proxy.state.lock import FileLock
from iflow_cli_proxy.state.migration import VERSION
from iflow_cli_proxy.state.sealing import Seal

_log: Final = logging.getLogger(__name__)

_ENDING: Final = ".json"
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_DEVICE: Final = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")
"""Names that mean a device on Windows, whatever ending they have."""

Edit = Callable[[SavedAccount], SavedAccount]


@dataclass(frozen=True, kw_only=True)
class DamagedFile:
    path: Path
    problem: str
    """With line and column where there is one; nothing secret."""
    hint: str = ""
    is_intact: bool = False
    """Its key, or a newer program, is missing here: it is never set aside."""
    account: SavedAccount | None = None
    """What can be read without its secrets."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    accounts: tuple[SavedAccount, ...]
    """Sorted by provider, then label."""
    damaged: tuple[DamagedFile, ...]


class AccountStore:
    """Reads and changes the accounts in one folder, safe beside other threads and processes that do the same.

    New files are sealed with `seal`. `find_seal` gives the keys of files that are sealed otherwise, as they are while
    accounts move from one seal to another; what is sealed never becomes open again except by `reseal(None)`.
    """

    def __init__(
        self, folder: Path, *, seal: Seal | None = None, find_seal: FindSeal | None = None, clock: Clock
    ) -> None:
        self._folder = folder
        self._seal = seal
        self._find_seal = find_seal
        self._keys: dict[str, Seal | None] = {seal.name: seal} if seal is not None else {}
        self._clock = clock

    def load(self) -> Loaded:
        """Every account that can be read, and what is wrong with the others. Changes no file.

        Raises:
            StateError: the folder as a whole cannot be used.
        """
        accounts: list[SavedAccount] = []
        damaged: list[DamagedFile] = []
        find_seal = self._finder()
        for path in self._files():
            try:
                _check_name(path)
                found = self._read(path, find_seal)
            except StateError as error:
                damaged.append(_damaged(path, error))
            else:
                accounts += [found] if found is not None else []
        accounts.sort(key=lambda each: (each.provider, each.label, each.id))
        return Loaded(accounts=tuple(accounts), damaged=tuple(damaged))

    def stamps(self) -> Mapping[str, Stamp]:
        """By file name: differs from an earlier answer after any change."""
        return {path.name: stamp for path in self._files() if (stamp := stamp_of(path)) is not None}

    def place(self, id: str) -> AccountPlace:
        """Where one account is kept, whether or not it exists."""
        path = self._path(id)
        return AccountPlace(path, lambda: self._read(path, self._finder()), partial(self._replace, path))

    def create(self, account: SavedAccount) -> None:
        """Raises StateError when the id exists."""
        path = self._path(account.id)
        tighten_folder(self._folder)
        with FileLock(path):
            if os.path.lexists(path):
                raise StateError("An account with this id exists already.", detail=str(path))
            remove_leftovers(path)
            now = self._clock.now()
            created_at = account.created_at or now
            write_private(path, encode_account(replace(account, created_at=created_at, updated_at=now), self._seal))

    def change(self, id: str, edit: Edit) -> SavedAccount:
        """Read, edit and write while nobody else does; the answer is what is in the file now.

        Raises:
            StateError: there is no such account, or it cannot be read or written; nothing has changed then.
        """
        place = self.place(id)
        with place.lock():
            old = place.read()
            if old is None:
                raise _gone(self._path(id))
            new = edit(old)
            if new == old:
                return old
            return self._replace(self._path(id), new)

    def delete(self, id: str) -> bool:
        """Also deletes the copies that migration kept. False when there was no such account."""
        path = self._path(id)
        if not os.path.lexists(path):
            return False
        with FileLock(path):
            remove_leftovers(path)
            existed = remove_private(path)
            for copy in path.parent.glob(f"{path.name}.v*.bak"):
                remove_private(copy)
        return existed

    def set_aside(self, damaged: DamagedFile) -> Path:
        """Rename a damaged file to one that is not read any more, and say which; never overwrites.

        Raises:
            StateError: it is in order by now, or only its key or a newer program is missing.
        """
        path = self._folder / damaged.path.name
        with FileLock(path):
            self._refuse_if_sound(path)
            taken = {each.name for each in self._folder.iterdir() if each.name.startswith(f"{path.name}.damaged")}
            names = (f"{path.name}.damaged{f'-{n}' if n > 1 else ''}" for n in range(1, len(taken) + 2))
            return rename_private(path, next(name for name in names if name not in taken))

    def reseal(self, new: Seal | None) -> int:
        """Seal every account with `new`, or open all for None; how many files changed.

        May be cut short anywhere and called again: each file is in the old or the new form, and both can be read. A
        file that is damaged stays as it is.

        Raises:
            StateError: a file cannot be opened with the keys at hand; nothing has changed then.
        """
        loaded = self.load()
        if locked := [each for each in loaded.damaged if each.is_intact]:
            raise StateError(
                f"{len(locked)} of the accounts cannot be opened, so none was changed: {locked[0].problem}.",
                detail=", ".join(str(each.path) for each in locked),
                hint=locked[0].hint,
            )
        count = sum(self._reseal_one(self._path(account.id), new) for account in loaded.accounts)
        if new is not None and (copies := self.open_copies()):
            _log.warning(
                "%d older copies of accounts still hold secrets in the open (%s); delete them when they are not needed",
                len(copies),
                ", ".join(copy.name for copy in copies),
            )
        return count

    def open_copies(self) -> tuple[Path, ...]:
        """Copies that migration kept and files set aside: they hold secrets that no seal covers."""
        return tuple(
            path for ending in ("v*.bak", "damaged*") for path in sorted(self._folder.glob(f"*{_ENDING}.{ending}"))
        )

    # --- one file ---------------------------------------------------------------------------------------------------

    def _read(self, path: Path, find_seal: FindSeal) -> SavedAccount | None:
        data = read_private(path)
        return None if data is None else decode_account(data, path, find_seal)

    def _replace(self, path: Path, account: SavedAccount) -> SavedAccount:
        """Write over a file that can be read; call it while holding the lock."""
        old = read_private(path)
        if old is None:
            raise _gone(path)
        if account.id != path.stem:
            raise StateError("An account keeps its id.", detail=str(path))
        decode_account(old, path, self._finder())
        remove_leftovers(path)
        _back_up(path, old)
        account = replace(account, updated_at=self._clock.now())
        write_private(path, encode_account(account, self._seal or self._seal_of(old)))
        return account

    def _seal_of(self, data: bytes) -> Seal | None:
        kind = sealed_by(data)
        return self._finder()(kind) if kind else None

    def _reseal_one(self, path: Path, new: Seal | None) -> bool:
        with FileLock(path):
            data = read_private(path)
            if data is None or sealed_by(data) == (new.name if new else ""):
                return False
            account = decode_account(data, path, self._finder())
            remove_leftovers(path)
            _back_up(path, data)
            write_private(path, encode_account(account, new))
        return True

    def _refuse_if_sound(self, path: Path) -> None:
        try:
            _check_name(path)
            self._read(path, self._finder())
        except Unreadable as error:
            if error.is_intact:
                raise
        except StateError:
            pass
        else:
            raise StateError("The file is in order, or gone; nothing was moved.", detail=str(path))

    # --- names and keys ---------------------------------------------------------------------------------------------

    def _files(self) -> Iterator[Path]:
        tighten_folder(self._folder)
        try:
            names = sorted(each.name for each in self._folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise StateError(f"The folder of accounts cannot be read: {reason}.", detail=str(self._folder)) from error
        for name in names:
            if name.endswith(_ENDING) and not name.startswith("."):
                yield self._folder / name

    def _path(self, id: str) -> Path:
        path = self._folder / f"{id}{_ENDING}"
        is_inside = Path(os.path.normpath(path)).parent == Path(os.path.normpath(self._folder))
        if not (is_account_id(id) and is_inside):
            raise InvalidRequest(
                "An account id is 1 to 63 of the characters a-z, 0-9, _ and -, and begins with a letter or digit.",
                param="id",
                hint="iflow2api token list",
            )
        return path

    def _finder(self) -> FindSeal:
        """For one job: a key that is found is kept for good, and one that cannot be had is asked for once."""
        refusals: dict[str, StateError] = {}

        def find(kind: str) -> Seal | None:
            if kind in refusals:
                raise refusals[kind]
            if kind not in self._keys:
                try:
                    self._keys[kind] = self._find_seal(kind) if self._find_seal else None
                except StateError as error:
                    refusals[kind] = error
                    raise
            return self._keys[kind]

        return find


class AccountPlace:
    """One account's file, as `signin/place.py` wants it."""

    def __init__(
        self,
        path: Path,
        read: Callable[[], SavedAccount | None],
        replace: Callable[[SavedAccount], SavedAccount],
    ) -> None:
        self._path = path
        self._read = read
        self._replace = replace

    def lock(self) -> AbstractContextManager[None]:
        return FileLock(self._path)

    def read(self) -> SavedAccount | None:
        return self._read()

    def write(self, account: SavedAccount) -> None:
        """Raises StateError: nothing has changed; also when the account was deleted meanwhile."""
        self._replace(account)


def is_account_id(text: str) -> bool:
    """Whether it can be the name of an account, and so of a file on every system (I39)."""
    return _ID.fullmatch(text) is not None and _DEVICE.fullmatch(text) is None


def _check_name(path: Path) -> None:
    if not is_account_id(path.stem):
        raise Unreadable(path, "its name is no account id: a-z, 0-9, _ and - may stand before .json")


def _damaged(path: Path, error: StateError) -> DamagedFile:
    if not isinstance(error, Unreadable):
        return DamagedFile(path=path, problem=error.message.removesuffix("."), hint=error.hint)
    return DamagedFile(
        path=path, problem=error.problem, hint=error.hint, is_intact=error.is_intact, account=error.account
    )


def _back_up(path: Path, old: bytes) -> None:
    """Keep the bytes of an earlier version beside the file, once."""
    version = version_in(old)
    copy = path.with_name(f"{path.name}.v{version}.bak")
    if version < VERSION and not os.path.lexists(copy):
        write_private(copy, old)


def _gone(path: Path) -> StateError:
    return StateError("There is no such account.", detail=str(path), hint="iflow2api token list")
