"""Who is signed in at the admin page: one secret in a cookie for each, of which only the digest is kept (I34, I35).

Knows how long a session lasts and that another one begins with every sign-in. Refuses to know cookies and passwords.
A session ends by either clock: the one that only passes stands still while a machine sleeps, the other may jump.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import compare_digest
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.core.secret import Secret

IDLE_S: Final = 1800.0
LONGEST_S: Final = 43_200.0
_MOST: Final = 64
"""Sessions at one time; one more ends the one that was idle longest."""
_SECRET_BYTES: Final = 32


@dataclass(eq=False, kw_only=True)
class Session:
    """One browser that is signed in."""

    digest: bytes
    csrf: str = field(repr=False)
    """Goes to the page and comes back in a header with everything that changes something."""
    began: tuple[float, float]
    seen: tuple[float, float]
    is_ended: bool = False

    @property
    def name(self) -> str:
        """Eight digits for the log, which open nothing."""
        return self.digest.hex()[:8]


class Sessions:
    """One for each server. `entropy` must not be a buffer: what it gives opens doors."""

    def __init__(self, clock: Clock, *, entropy: Entropy = os.urandom) -> None:
        self._clock = clock
        self._entropy = entropy
        self._known: OrderedDict[bytes, Session] = OrderedDict()
        """By digest, the one that was idle longest first."""

    def begin(self) -> tuple[Secret, Session]:
        """A new one, and what its cookie holds."""
        secret = self._entropy(_SECRET_BYTES).hex()
        moment = self._moment()
        session = Session(digest=_digest_of(secret), csrf=self._entropy(_SECRET_BYTES).hex(), began=moment, seen=moment)
        self._known[session.digest] = session
        while len(self._known) > _MOST:
            self.end(next(iter(self._known.values())))
        return Secret(secret), session

    def find(self, secret: str, *, is_use: bool = True) -> Session | None:
        """The session of a cookie while it lasts; `is_use` begins its idle time anew."""
        session = self._known.get(_digest_of(secret)) if secret else None
        if session is None or not self.lasts(session):
            return None
        if is_use:
            session.seen = self._moment()
            self._known.move_to_end(session.digest)
        return session

    def lasts(self, session: Session) -> bool:
        """Whether it goes on; one whose time is over is ended by the question."""
        if not session.is_ended and self.seconds_left(session) <= 0:
            self.end(session)
        return not session.is_ended

    def seconds_left(self, session: Session) -> float:
        """Until it ends by itself if nothing more is asked."""
        now = self._moment()
        idle_s = max(at - seen for at, seen in zip(now, session.seen, strict=True))
        age_s = max(at - began for at, began in zip(now, session.began, strict=True))
        return min(IDLE_S - idle_s, LONGEST_S - age_s)

    def end(self, session: Session) -> None:
        session.is_ended = True
        self._known.pop(session.digest, None)

    def end_all(self, *, but: Session | None = None) -> int:
        """End everybody's, `but` one; how many there were."""
        ending = [session for session in self._known.values() if session is not but]
        for session in ending:
            self.end(session)
        return len(ending)

    def _moment(self) -> tuple[float, float]:
        return self._clock.monotonic(), self._clock.now()


def has_csrf(session: Session, given: str) -> bool:
    """Compared in constant time."""
    return compare_digest(given.encode("utf-8", "surrogatepass"), session.csrf.encode())


def _digest_of(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
