"""How client keys are shown to people; the shapes for scripts are in `state/key_shapes.py`. None of it is secret.

Imported only by commands that show client keys.
"""

from __future__ import annotations

from math import isfinite
from typing import Final

from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.core.spans import span
from iflow_cli_proxy.pool.client_key import ClientKey
from iflow_cli_proxy.state.key_shapes import state_of

COLUMNS: Final = ("name", "state", "limits", "models", "accounts", "expires", "note")
WORDS: Final = ("state", "limits", "models", "accounts", "expires")
"""Columns that hold words of ours."""
SPARE_COLUMNS: Final = 1

_EVERYTHING: Final = "all"


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
        ("state", spoken(state_of(key, now))),
        ("models", spoken(_globs(key.models))),
        ("accounts", spoken(_accounts(key))),
        ("requests a minute", spoken(_count(key.rpm))),
        ("tokens a minute", spoken(_count(key.tpm))),
        ("requests at one time", spoken(_count(key.concurrency))),
        ("budget", spoken(str(key.budget or "no limit"))),
        ("created", rfc3339(key.created_at)),
        ("expires", spoken(_expires(key, now))),
    ]
    if key.revoked_at is not None:
        lines.append(("revoked", rfc3339(key.revoked_at)))
    lines += [("an older secret works until", rfc3339(one.until)) for one in key.retiring if now < one.until]
    return [*lines, *([("note", key.note)] if key.note else [])]


def configured_row(number: int, secret: Secret) -> list[str]:
    """A key of the configuration, which has no limits."""
    return [f"key {number}", "ok", "no limit", _EVERYTHING, _EVERYTHING, "never", f"auth.client_keys: {secret}"]


def _limits(key: ClientKey) -> str:
    named = (("rpm", key.rpm), ("tpm", key.tpm), ("at once", key.concurrency))
    shown = [f"{limit:,} {spoken(name)}" for name, limit in named if limit]
    shown += [spoken(str(key.budget))] if key.budget else []
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
