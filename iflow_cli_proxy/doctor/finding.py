"""What a doctor says: one finding is one line, with the step that repairs it.

Knows how bad things are and what that means for whoever reads the end. Refuses to know how anything is looked at or
shown. Nothing in a finding is secret.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from iflow_cli_proxy.core.jsonx import Json


class Status(StrEnum):
    OK = "ok"
    NOTE = "note"
    """Good to know; nothing has to be done."""
    WARNING = "warning"
    """It works, or will again by itself; better look at it."""
    FAILURE = "failure"
    """It does not work until somebody does something."""
    GONE = "gone"
    """It will not work again, whatever anybody does here."""


class Group(StrEnum):
    """In the order in which they are looked at and shown."""

    PROGRAM = "program"
    CONFIG = "config"
    FILES = "files"
    SERVER = "server"
    ENVIRONMENT = "environment"
    ACCOUNTS = "accounts"
    SIGN_INS = "sign-ins"
    """Of other programs."""
    CLIENTS = "clients"
    UPSTREAMS = "upstreams"


@dataclass(frozen=True, kw_only=True)
class Repair:
    """What `--fix` does about a finding, after saying so."""

    will: str
    """As in "close FILE to other users"."""
    do: Callable[[], Awaitable[str]]
    """Says what it did. Raises GatewayError or OSError: then nothing has changed for the worse."""
    then: str = ""
    """What is left for the person to do."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    group: Group
    status: Status
    subject: str
    """What was looked at: a file, a setting, an account, a host."""
    text: str
    action: str = ""
    """The command to type, or what to do; empty when there is nothing to do."""
    needs_login: bool = False
    """A failure that a sign-in ends."""
    repaired: str = ""
    """What `--fix` did; the status is then ok."""
    repair: Repair | None = field(default=None, compare=False, repr=False)

    @property
    def is_failure(self) -> bool:
        return self.status in (Status.FAILURE, Status.GONE)

    def after(self, repaired: str) -> Finding:
        """The same once it was repaired."""
        left = self.repair.then if self.repair is not None else ""
        return replace(self, status=Status.OK, repaired=repaired, action=left, needs_login=False, repair=None)

    def as_json(self) -> dict[str, Json]:
        """The stable shape."""
        return {
            "group": self.group.value,
            "status": self.status.value,
            "subject": self.subject,
            "text": self.text,
            "action": self.action,
            "needs_login": self.needs_login,
            "can_fix": self.repair is not None,
            "repaired": self.repaired,
        }


@dataclass(frozen=True)
class Diagnosis:
    """Everything that was found."""

    findings: Sequence[Finding]

    @property
    def is_well(self) -> bool:
        """Nothing is worse than a warning."""
        return not any(one.is_failure for one in self.findings)

    @property
    def only_needs_logins(self) -> bool:
        """There are failures, and signing in ends each of them."""
        failures = [one for one in self.findings if one.is_failure]
        return bool(failures) and all(one.needs_login for one in failures)

    @property
    def can_fix(self) -> int:
        """How many findings `--fix` would repair."""
        return sum(one.repair is not None for one in self.findings)

    @property
    def counts(self) -> dict[Status, int]:
        """How many of each status, none left out."""
        found = Counter(one.status for one in self.findings)
        return {status: found[status] for status in Status}


def blocking(work: Callable[..., str], *given: object) -> Callable[[], Awaitable[str]]:
    """A repair that touches the disk, in a thread."""
    return partial(asyncio.to_thread, work, *given)
