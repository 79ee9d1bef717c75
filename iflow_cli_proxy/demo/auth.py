"""How iFlow decides whom it answers: key, user agent, signature; and what it says to the others.

Knows the refusals of the wire reference. Refuses to know HTTP servers and what is asked for.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from iflow_cli_proxy.demo.faults import BUSINESS, Plain, business, http_error
from iflow_cli_proxy.providers.iflow.headers import USER_AGENT
from iflow_cli_proxy.providers.iflow.signature import sign

HELPER_AGENT: Final = "iFlow-Cli-MultimodalHelper"
"""The client's image helper: no session and no signature, vision models only."""
HELPER_MODELS: Final = frozenset({"qwen3-vl-plus", "qwen-vl-max"})

_MILLISECONDS: Final = re.compile(r"\d{13}")


@dataclass(kw_only=True)
class Keys:
    """Which keys there are and how each one fares; `busy` are those with a request running."""

    good: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)

    def refusal(self, key: str) -> Plain | None:
        if key in self.blocked:
            return BUSINESS["434_blocked"]
        if key in self.expired:
            return BUSINESS["439"]
        return None if key in self.good else BUSINESS["434"]


def bearer(headers: Mapping[str, str]) -> str:
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def refuse(headers: Mapping[str, str], keys: Keys, model: str | None = None) -> Plain | None:
    """Why a request is not answered, None when it is. `headers` ignores case; without `model` no signature is asked."""
    key = bearer(headers)
    if not key:
        return http_error(401, "Unauthorized")
    refusal = keys.refusal(key)
    if refusal is not None or model is None:
        return refusal
    agent = headers.get("user-agent", "")
    if agent == HELPER_AGENT and model.lower() in HELPER_MODELS:
        return None
    return None if _is_signed(headers, key, agent) else http_error(406, "status 406")


def _is_signed(headers: Mapping[str, str], key: str, agent: str) -> bool:
    timestamp, session = headers.get("x-iflow-timestamp", ""), headers.get("session-id", "")
    if agent != USER_AGENT or not session or not _MILLISECONDS.fullmatch(timestamp):
        return False
    given = headers.get("x-iflow-signature", "").encode(errors="replace")
    return hmac.compare_digest(given, sign(key, agent, session, timestamp).encode())


def too_many() -> Plain:
    return business("449", "You exceeded your current rate limit")
