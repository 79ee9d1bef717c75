"""A place in memory, with locks and disks that fail when a test says so."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.pool.saved import SavedAccount


class _Taking(AbstractContextManager[None]):
    """Unlike a generator, it frees nothing when it is forgotten."""

    def __init__(self, taken: threading.Lock) -> None:
        self._taken = taken

    def __enter__(self) -> None:
        self._taken.acquire()

    def __exit__(self, *_: object) -> None:
        self._taken.release()


class FakePlace:
    def __init__(self, account: SavedAccount | None) -> None:
        self.account = account
        self.writes: list[SavedAccount] = []
        self.lock_error: StateError | None = None
        self.read_error: StateError | None = None
        self.write_error: StateError | None = None
        self.taken = threading.Lock()
        self.on_thread: set[int] = set()

    def lock(self) -> AbstractContextManager[None]:
        if self.lock_error is not None:
            raise self.lock_error
        return _Taking(self.taken)

    def read(self) -> SavedAccount | None:
        self.on_thread.add(threading.get_ident())
        if self.read_error is not None:
            raise self.read_error
        return self.account

    def write(self, account: SavedAccount) -> None:
        assert self.taken.locked(), "written without the lock"
        self.on_thread.add(threading.get_ident())
        if self.write_error is not None:
            raise self.write_error
        self.account = account
        self.writes.append(account)
