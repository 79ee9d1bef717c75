"""The proof that a request comes from someone who holds the key.

Knows the recipe (HMAC-SHA256 over user agent, session and time) and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac


def sign(key: str, user_agent: str, session_id: str, timestamp_ms: int | str) -> str:
    """Lower-case hex, over exactly what the headers carry. The key is trimmed: a stray newline changes everything."""
    message = f"{user_agent}:{session_id}:{timestamp_ms}"
    return hmac.new(key.strip().encode(), message.encode(), hashlib.sha256).hexdigest()
