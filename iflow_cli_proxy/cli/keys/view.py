"""How client keys are shown: rows for people, shapes for scripts. None of it is secret.

Imported only by commands that show client keys.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.core.spans import span
from iflow_cli_proxy.pool.client_key import ClientKey

COLUMNS: Final = ("name", "state", "limits", "models", "accounts", "expires", "note")
SPARE_COLUMNS: Final = 1

_EVERYTHING: Final = "all"


def state_of(key: ClientKey, now: float) -> str:
    """ok, revoked, disabled or expired."""
    if key.revoked_at is not None:
        return "revoked"
    if key.is_disabled:
        return "disabled"
    return "ok" if now < key.expires_at else "expired"


def row(key: ClientKey, now: float) -> list[str]:
    return [
        key.name,
        state_of(key, now),
        _limits(key),
        _globs(key.models),
        _accounts(key),
        _expires(key, now),
        key.note,
    ]


def details(key: ClientKey, now: float) -> list[tuple[str, str]]:
    """Everything there is to say, a line each; what is not limited is said too."""
    lines = [
        ("name", key.name),
        ("state", state_of(key, now)),
        ("models", _globs(key.models)),
        ("accounts", _accounts(key)),
        ("requests a minute", _count(key.rpm)),
        ("tokens a minute", _count(key.tpm)),
        ("requests at one time", _count(key.concurrency)),
        ("budget", str(key.budget or "no limit")),
        ("created", rfc3339(key.created_at)),
        ("expires", _expires(key, now)),
    ]
    if key.revoked_at is not None:
        lines.append(("revoked", rfc3339(key.revoked_at)))
    lines += [("an older secret works until", rfc3339(one.until)) for one in key.retiring if now < one.until]
    return [*lines, *([("note", key.note)] if key.note else [])]


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


def configured_row(number: int, secret: Secret) -> list[str]:
    """A key of the configuration, which has no limits."""
    return [f"key {number}", "ok", "no limit", _EVERYTHING, _EVERYTHING, "never", f"auth.client_keys: {secret}"]


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


def _limits(key: ClientKey) -> str:
    named = (("rpm", key.rpm), ("tpm", key.tpm), ("at once", key.concurrency))
    shown = [f"{limit:,} {name}" for name, limit in named if limit]
    shown += [str(key.budget)] if key.budget else []
    return ", ".join(shown) or "no limit"


def _globs(globs: tuple[str, ...]) -> str:
    return ", ".join(globs) or _EVERYTHING


def _accounts(key: ClientKey) -> str:
    return ", ".join([*([f"pool {key.pool}"] if key.pool else []), *key.accounts]) or _EVERYTHING


def _count(limit: int) -> str:
    return f"{limit:,}" if limit else "no limit"


def _expires(key: ClientKey, now: float) -> str:
    if not isfinite(key.expires_at):
        return "never"
    left = key.expires_at - now
    return f"{rfc3339(key.expires_at)} ({f'in {span(left)}' if left > 0 else f'{span(left)} ago'})"
