"""A place that belongs to another program: its file, its lock protocol if it has one, and ours in any case."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.providers.discovery import LiveSignIn
from iflow_cli_proxy.state.foreign_file import ForeignFile
from iflow_cli_proxy.state.lock import FileLock
from iflow_cli_proxy.state.vendor_lock import VendorLock

_LOG: Final = logging.getLogger("iflow2api.accounts")


class LivePlace:
    """The place port over a LiveSignIn. `own_locks` is the folder for the lock between processes of ours."""

    def __init__(self, live: LiveSignIn, own_locks: Path, clock: Clock) -> None:
        self._vendor_lock = live.lock
        self._own_lock = own_locks / f"{live.account.id}.json"
        self._clock = clock
        self._parse = live.parse
        self._file = ForeignFile(live.file.path, self.lock, parse=self._read_at, merge=live.file.merge)
        self._copies = [
            (one.path, ForeignFile(one.path, self.lock, parse=_nobody, merge=one.merge)) for one in live.also
        ]

    @contextmanager
    def lock(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(FileLock(self._own_lock))
            if self._vendor_lock is not None:
                stack.enter_context(VendorLock(self._vendor_lock, clock=self._clock))
            yield

    def read(self) -> SavedAccount | None:
        return self._file.read()

    def _read_at(self, data: bytes, modified_at: float) -> SavedAccount | None:
        """Its program does not say when it refreshed; the file was written then, or not long after."""
        found = self._parse(data)
        return replace(found, refreshed_at=found.refreshed_at or modified_at) if found else None

    def write(self, account: SavedAccount) -> None:
        """Only a newer credential: another program's file has no room for notes, and its age tells of a refresh."""
        found = self.read()
        if found is not None and (found.tokens, found.api_key) == (account.tokens, account.api_key):
            return
        self._file.write(account)
        for path, copy in self._copies:
            try:
                if path.exists():
                    copy.write(account)
            except StateError as error:
                # The sign-in itself is saved; the copy of its key elsewhere is the other program's convenience.
                _LOG.warning("%s keeps the old key of %s: %s", path.name, account.label, error.message)


def _nobody(data: bytes, modified_at: float) -> SavedAccount | None:
    """A copy is written, never read."""
    return None
