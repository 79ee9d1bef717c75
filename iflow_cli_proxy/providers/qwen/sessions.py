"""The session id Qwen's client tells about itself: one for each conversation of a client, else one for each account.

Its memory is one entry for each account.
"""

from __future__ import annotations

import hashlib
import uuid

from iflow_cli_proxy.core.ids import Entropy, uuid4


class Sessions:
    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._by_account: dict[str, str] = {}

    def session_id(self, account_id: str, conversation: str) -> str:
        """A UUID: the same for the same conversation, whoever asks; the process's own for one without a name."""
        own = self._by_account.get(account_id)
        if own is None:
            own = self._by_account[account_id] = uuid4(self._entropy)
        if not conversation:
            return own
        digest = hashlib.sha256(f"{account_id}\n{conversation}".encode(errors="replace")).digest()
        return str(uuid.UUID(bytes=digest[:16], version=4))
