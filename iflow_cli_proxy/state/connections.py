"""What the settings files of coding agents were before `connect` changed them: one record for each agent.

Knows how a record is kept and told from a damaged one. Refuses to know agents, and to touch their files.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.state.atomic import read_private, remove_private, write_private

_VERSION: Final = 1


class KeptFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it was, and how to tell that it is still as we left it."""

    path: str
    before: str | None
    """Its text; None when there was no file."""
    mode: int
    """Of the file that was there."""
    after: str
    """Digest of the text that we wrote."""
    is_mixed: bool = False
    """Somebody else changed it between two times that we did: what was before is not all that would be lost."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    files: tuple[KeptFile, ...]


_decode: Final = jsonx.typed(_Record)


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class Connections:
    """The records in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, agent: str) -> tuple[KeptFile, ...]:
        """The files of an agent that is connected; empty when it is not. Raises StateError."""
        path = self.place(agent)
        data = read_private(path)
        if data is None:
            return ()
        try:
            record = _decode(data)
        except JsonError as error:
            raise _damaged(path, error.what) from error
        if record.version != _VERSION:
            raise _damaged(path, f"version {record.version} is not known here")
        return record.files

    def keep(self, agent: str, files: Sequence[KeptFile]) -> None:
        """Raises StateError."""
        record = {"version": _VERSION, "files": [jsonx.to_builtins(file) for file in files]}
        write_private(self.place(agent), jsonx.indented(record))

    def forget(self, agent: str) -> None:
        """Raises StateError."""
        remove_private(self.place(agent))

    def place(self, agent: str) -> Path:
        return self._folder / f"{agent}.json"


def _damaged(path: Path, reason: str) -> StateError:
    return StateError(
        f"The record of what an agent's settings were is damaged: {reason}.",
        detail=str(path),
        hint="move it away, and correct the agent's settings by hand",
    )
