"""What a search for credentials may look at and what it answers: accounts, and what was wrong on the way.

Found and told; nothing is repaired or written here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from iflow_cli_proxy.pool.account import Account


@dataclass(frozen=True, kw_only=True)
class FileText:
    data: bytes
    modified_at: float
    """Epoch seconds."""


Reader: TypeAlias = Callable[[Path], FileText | None]
"""Reads a whole file; None when there is none. Raises OSError when there is one that cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing a person should know. Nothing in it is secret."""

    where: str
    """The file, variable or setting, for this machine's user only; never sent to a client."""
    problem: str
    hint: str = ""
    """The next thing to do."""


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """What was found for one provider."""

    accounts: tuple[Account, ...] = ()
    spare: tuple[Account, ...] = ()
    """The same sign-in with keys from other places, best first: to try when the account's key is refused."""
    findings: tuple[Finding, ...] = ()
