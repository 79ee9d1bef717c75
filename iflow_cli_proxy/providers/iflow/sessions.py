"""The identifiers iFlow's client sends: how long each one lives and what it is derived from.

Knows lifetimes. Refuses to know headers. Its memory is one entry for each account.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy, uuid4

PREFIX: Final = "session-"
SHORTEST_LIFE_S: Final = 12 * 3600
LONGEST_REQUESTS: Final = 1000


@dataclass(slots=True)
class _Session:
    id: str
    ends_at: float
    requests_left: int


class Sessions:
    """One session for each account in this process, replaced after 12 to 24 hours or 1000 requests."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._by_account: dict[str, _Session] = {}

    def session_id(self, account_id: str) -> str:
        """The id for the account's next request, which it counts."""
        session = self._by_account.get(account_id)
        if session is None or session.requests_left <= 0 or self._clock.monotonic() >= session.ends_at:
            session = self._by_account[account_id] = self._begin()
        session.requests_left -= 1
        return session.id

    def conversation_id(self, account_id: str, conversation: str) -> str:
        """The same UUID for the same conversation of a client, a new one for each request that names none."""
        if not conversation:
            return uuid4(self._entropy)
        digest = hashlib.sha256(f"{account_id}\n{conversation}".encode(errors="replace")).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))

    def _begin(self) -> _Session:
        name = uuid4(self._entropy)
        jitter_s = int.from_bytes(self._entropy(4), "big") % SHORTEST_LIFE_S
        return _Session(
            id=PREFIX + name,
            ends_at=self._clock.monotonic() + SHORTEST_LIFE_S + jitter_s,
            requests_left=LONGEST_REQUESTS,
        )
