"""What a search for credentials may look at and what it answers: accounts, and what was wrong on the way.

Found and told; nothing is repaired or written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.saved import SavedAccount


@dataclass(frozen=True, kw_only=True)
class FileText:
    data: bytes
    modified_at: float
    """Epoch seconds."""


Reader: TypeAlias = Callable[[Path], FileText | None]
"""Reads a whole file; None when there is none. Raises OSError when there is one that cannot be read."""


Lister: TypeAlias = Callable[[Path], Iterable[str]]
"""The names in a folder; nothing when there is no such folder. Raises OSError when it cannot be looked into."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing a person should know. Nothing in it is secret."""

    where: str
    """The file, variable or setting, for this machine's user only; never sent to a client."""
    problem: str
    hint: str = ""
    """The next thing to do."""


@dataclass(frozen=True, kw_only=True)
class SharedFile:
    """A file of another program that holds a credential of ours too."""

    path: Path
    merge: Callable[[bytes, SavedAccount], bytes]
    """The file's new bytes from its old ones and a newer credential; every field it does not know stays."""


@dataclass(frozen=True, kw_only=True)
class LiveSignIn:
    """A sign-in of another program, used where it lies and kept alive there."""

    account: SavedAccount
    """Its id is a fixed name."""
    file: SharedFile
    parse: Callable[[bytes], SavedAccount | None]
    """The account again from the file's bytes of a later moment; None when it is no longer in them."""
    lock: Path | None = None
    """The lock file by the other program's own protocol; None when it has none."""
    also: tuple[SharedFile, ...] = ()
    """Further places where that program keeps the same key."""
    is_kept_fresh: bool = True
    """Refreshed ahead of expiry; False where only a refused key is reason enough to touch another program's file."""
    is_used: bool = True
    """False for one that is known, and kept alive, but takes no requests."""


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """What was found for one provider."""

    accounts: tuple[Account, ...] = ()
    spare: tuple[Account, ...] = ()
    """The same sign-in with keys from other places, best first: to try when the account's key is refused."""
    live: tuple[LiveSignIn, ...] = ()
    """Sign-ins of other programs that can be refreshed; one with the id of an account stands for that account."""
    findings: tuple[Finding, ...] = ()
