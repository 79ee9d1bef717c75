"""Client keys as programs are told of them: `key list --json` and the admin page. None of it is secret."""

from __future__ import annotations

from math import isfinite
from typing import Any

from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.client_key import ClientKey


def state_of(key: ClientKey, now: float) -> str:
    """ok, revoked, disabled or expired."""
    if key.revoked_at is not None:
        return "revoked"
    if key.is_disabled:
        return "disabled"
    return "ok" if now < key.expires_at else "expired"


def as_json(key: ClientKey, now: float) -> dict[str, Any]:
    """null is no limit, an empty list everything."""
    budget = key.budget
    return {
        "name": key.name,
        "origin": "keys.toml",
        "state": state_of(key, now),
        "models": list(key.models),
        "accounts": list(key.accounts),
        "pool": key.pool or None,
        "rpm": key.rpm or None,
        "tpm": key.tpm or None,
        "concurrency": key.concurrency or None,
        "budget": None if budget is None else {"amount": budget.amount, "unit": budget.unit, "per": budget.per},
        "created_at": rfc3339(key.created_at),
        "expires_at": rfc3339(key.expires_at) if isfinite(key.expires_at) else None,
        "revoked_at": None if key.revoked_at is None else rfc3339(key.revoked_at),
        "older_secrets_until": [rfc3339(one.until) for one in key.retiring if now < one.until],
        "note": key.note,
    }


def configured_json(number: int, secret: Secret) -> dict[str, Any]:
    """The same shape; only its origin and what is shown of it differ."""
    return {
        "name": f"key {number}",
        "origin": "auth.client_keys",
        "state": "ok",
        "models": [],
        "accounts": [],
        **dict.fromkeys(("pool", "rpm", "tpm", "concurrency", "budget", "created_at", "expires_at", "revoked_at")),
        "older_secrets_until": [],
        "note": str(secret),
    }
