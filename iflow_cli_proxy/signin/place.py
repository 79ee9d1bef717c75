"""The place port: where one account's credential is kept, a file of ours or one shared with another program."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from iflow_cli_proxy.pool.saved import SavedAccount


class Place(Protocol):
    """All three block: from a coroutine go through `signin/holding.py`."""

    def lock(self) -> AbstractContextManager[None]:
        """Alone in a read-decide-write, against threads and processes. Raises StateError when it stays taken."""
        ...

    def read(self) -> SavedAccount | None:
        """What is there now; None when there is nothing. Raises StateError when it cannot be read or is damaged."""
        ...

    def write(self, account: SavedAccount) -> None:
        """Replace it, atomically and durably; call it while holding the lock.

        Raises:
            StateError: nothing has changed.
        """
        ...
