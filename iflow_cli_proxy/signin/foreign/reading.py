"""What reading another program's file comes to: accounts, entries that had to be left, remarks.

Values only. Accounts in a reading have an empty id unless the file gave one, and `updated_at` is the file's age.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.saved import SavedAccount


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file of a sign-in, decoded; most sign-ins have only one."""

    path: Path
    tree: Mapping[str, Json]
    modified_at: float = 0.0
    """Epoch seconds."""


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """An entry that cannot be taken over."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Callers:
    """What a file says besides its accounts; for `client_keys.py`, once it is known what those are called here."""

    tree: Mapping[str, Json]
    accounts: Mapping[str, int]
    """Where each name of an account in the tree stands in `Reading.accounts`."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Everything that was in one place."""

    accounts: tuple[SavedAccount, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know; nothing in it is secret."""
    callers: Callers | None = None
    """Who may use the accounts, where the file knows that."""


Reader: TypeAlias = Callable[[Sequence[Part], Mapping[str, str]], Reading]
"""Reads the parts of one sign-in; the mapping is the environment, for files that refer to it."""


class Unusable(ValueError):
    """An entry from which no account can be made; the text says why, as in "its API key is not text"."""


@dataclass(kw_only=True)
class Collector:
    """A reading on the way: entries are tried one by one, and what fails is noted with its reason."""

    accounts: list[SavedAccount] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    callers: Callers | None = None

    def take(self, name: str, make: Callable[[], SavedAccount]) -> bool:
        """Keep what `make` gives; an Unusable becomes a skipped entry."""
        try:
            self.accounts.append(make())
        except Unusable as error:
            self.skipped.append(Skipped(name=name, reason=str(error)))
            return False
        return True

    def note(self, text: str) -> None:
        if text and text not in self.notes:
            self.notes.append(text)

    def reading(self) -> Reading:
        return Reading(
            accounts=tuple(self.accounts),
            skipped=tuple(self.skipped),
            notes=tuple(self.notes),
            callers=self.callers,
        )
