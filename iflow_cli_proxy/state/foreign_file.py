"""A credential file of another program, used where it lies and written back as that program would find it.

Knows how to read and replace it safely, keeping the mode it has. Refuses to know what is in it: the one who opens it
hands over how to read an account out of it and how to put one back among everything else.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.json_position import describe
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.state.atomic import read_private, remove_leftovers, write_private

_PRIVATE: Final = 0o600


class ForeignFile:
    """A `Place` over one file of another program.

    `parse` gets the bytes and when they were written (epoch seconds); None means that no sign-in is in them. `merge`
    gets the bytes that are there now, empty when there are none, and must keep whatever it does not know. Both may
    raise JsonError.
    """

    def __init__(
        self,
        path: Path,
        lock: Callable[[], AbstractContextManager[None]],
        parse: Callable[[bytes, float], SavedAccount | None],
        merge: Callable[[bytes, SavedAccount], bytes],
    ) -> None:
        self._path = path
        self._lock = lock
        self._parse = parse
        self._merge = merge

    def lock(self) -> AbstractContextManager[None]:
        return self._lock()

    def read(self) -> SavedAccount | None:
        data = read_private(self._path, is_ours=False)
        if data is None:
            return None
        try:
            return self._parse(data, self._modified_at())
        except JsonError as error:
            raise self._damaged(error, data) from error

    def write(self, account: SavedAccount) -> None:
        data = read_private(self._path, is_ours=False) or b""
        try:
            merged = self._merge(data, account)
        except JsonError as error:
            raise self._damaged(error, data) from error
        remove_leftovers(self._path)
        if merged != data:
            write_private(self._path, merged, mode=self._mode())

    def _modified_at(self) -> float:
        try:
            return self._path.lstat().st_mtime
        except OSError:
            return 0.0  # replaced or deleted since; the next reading tells

    def _mode(self) -> int:
        try:
            return stat.S_IMODE(self._path.lstat().st_mode) & 0o777
        except OSError:
            return _PRIVATE

    def _damaged(self, error: JsonError, data: bytes) -> StateError:
        return StateError(
            f"The sign-in file of another program is damaged: {describe(error, data)}.",
            detail=str(self._path),
            hint="sign in again with that program, or: iflow2api login",
        )
