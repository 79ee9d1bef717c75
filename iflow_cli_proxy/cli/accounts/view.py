"""Accounts as `token` shows them: how one fares, when its credential ends, where it is kept.

Knows words for people and the stable shape of `--json`. Imported only by commands that show accounts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from math import inf
from pathlib import Path
from typing import Final

from iflow_cli_proxy.cli.accounting.today import NO_USE, today_text
from iflow_cli_proxy.cli.accounts.naming import SHORT_ID
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core.instants import instant, rfc3339
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.core.spans import span
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.providers.discovery import Finding
from iflow_cli_proxy.state.ledger_queries import Sums
from iflow_cli_proxy.state.ledger_shapes import short_json
from iflow_cli_proxy.state.paths import Paths
from iflow_cli_proxy.wiring.accounts import KnownAccount
from iflow_cli_proxy.wiring.known import is_resting, origin_of, state_word

NOTHING_YET: Final = (
    "There are no accounts yet. Sign in with `iflow2api login`, or bring some: `iflow2api token import`."
)

_MOST_OF_AN_ERROR: Final = 40
_SEALED: Final = "sealed, so not known here"


def file_of(known: KnownAccount, paths: Paths) -> Path | None:
    """The file that holds it; None when no file of an account does."""
    if known.is_ours:
        return paths.accounts_dir / f"{known.saved.id}.json"
    return Path(known.origin) if known.place is not None and known.origin else None


def state_text(known: KnownAccount, now: float) -> str:
    """The same for people."""
    match state_word(known, now):
        case "cooling":
            left, model = span((known.saved.rests_until or now) - now), known.saved.rests_model
            return f"rests for {left} ({model})" if model else f"rests for {left}"
        case "aside":
            return "not used"
        case "empty":
            return "no credential"
        case word:
            return word.replace("_", " ")


def kind_text(known: KnownAccount) -> str:
    """What it holds; of one that is sealed only as much as can be told without its key."""
    if known.saved.auth_type is AuthType.API_KEY:
        return "API key"
    return "sign-in" if known.saved.can_refresh or known.is_sealed else "sign-in, no refresh"


def ends_at(account: SavedAccount) -> float | None:
    """When the first of its credentials ends, the access token included; None when nobody said."""
    ends = [account.bearer_expires_at, (account.tokens and account.tokens.expires_at) or inf]
    return min(ends) if min(ends) != inf else None


def expiry_text(account: SavedAccount, now: float) -> str:
    """`in 3 h`, `expired`, or nothing when nobody said."""
    end = ends_at(account)
    if end is None:
        return ""
    return "expired" if end <= now else f"in {span(end - now)}"


def ago(then: float | None, now: float) -> str:
    """`5 min ago`; `never` for None."""
    if then is None:
        return "never"
    return "just now" if now - then < 1 else f"{span(now - then)} ago"


def where_text(known: KnownAccount) -> str:
    """`ours`, or whose it is."""
    return "ours" if known.is_ours else known.origin or "the configuration"


def in_order(known: Iterable[KnownAccount]) -> list[KnownAccount]:
    """Ours by provider and label, then the others as they were found."""
    return sorted(known, key=lambda one: (0, one.saved.provider, one.saved.label) if one.is_ours else (1, "", ""))


# --- shapes -------------------------------------------------------------------------------------------------------

COLUMNS: Final = (
    "provider", "label", "state", "expires", "today", "kind", "last used", "requests", "last error", "from", "id"
)  # fmt: skip
WORDS: Final = ("state", "expires", "kind", "last used", "from")
"""Columns that hold words of ours."""
SPARE_COLUMNS: Final = 7
"""As many at the end may be missing on a narrow screen."""


def row(known: KnownAccount, now: float, today: Sums = NO_USE) -> list[str]:
    account = known.saved
    return [
        account.provider,
        account.label,
        state_text(known, now),
        expiry_text(account, now),
        today_text(today),
        kind_text(known),
        ago(account.last_used_at, now) if known.is_ours or known.place is not None else "",
        f"{account.request_count:,}",
        _short(spoken(account.last_error)),
        where_text(known),
        account.id[:SHORT_ID] if known.is_ours else account.id,
    ]


def _short(text: str) -> str:
    """For a screen; on a pipe nothing is cut."""
    is_cut = sys.stdout.isatty() and len(text) > _MOST_OF_AN_ERROR
    return f"{text[: _MOST_OF_AN_ERROR - 1]}…" if is_cut else text


def as_json(
    known: KnownAccount, paths: Paths, now: float, today: Sums = NO_USE, *, reveal: bool = False
) -> dict[str, Json]:
    """The stable shape of one account. Instants are RFC 3339 in UTC or null; secrets are masked unless revealed.

    What only its key would tell of an account that is sealed is null.
    """
    account = known.saved
    tokens = account.tokens
    file = file_of(known, paths)

    def shown(secret: Secret | None) -> str:
        return "" if secret is None else secret.reveal() if reveal else str(secret)

    return {
        "id": account.id,
        "provider": account.provider,
        "label": account.label,
        "state": state_word(known, now),
        "usable": None if known.is_sealed else known.is_usable(now),
        "auth_type": account.auth_type.value,
        "api_key": shown(account.api_key),
        "api_key_expires_at": _moment(account.api_key_expires_at),
        "access_token": shown(tokens.access_token if tokens else None),
        "access_token_expires_at": _moment(tokens.expires_at if tokens else None),
        "refresh_token": shown(tokens.refresh_token if tokens else None),
        "expires_at": _moment(ends_at(account)),
        "can_refresh": None if known.is_sealed else account.can_refresh,
        "base_url": account.base_url,
        "user_id": account.user_id,
        "created_at": _moment(account.created_at or None),
        "updated_at": _moment(account.updated_at or None),
        "refreshed_at": _moment(account.refreshed_at),
        "last_used_at": _moment(account.last_used_at),
        "request_count": account.request_count,
        "today": short_json(today),
        "last_error": account.last_error,
        "last_error_at": _moment(account.last_error_at),
        "rests_until": _moment(account.rests_until if is_resting(account, now) else None),
        "rests_model": account.rests_model if is_resting(account, now) else "",
        "origin": origin_of(known).value,
        "where": str(file) if file else known.origin,
        "imported_from": account.imported_from,
    }


def details(
    known: KnownAccount, paths: Paths, now: float, today: Sums = NO_USE, *, reveal: bool = False
) -> list[tuple[str, str]]:
    """Everything about one account, a line each, without what is empty."""
    shape = as_json(known, paths, now, reveal=reveal)
    words = {
        "state": state_text(known, now),
        "usable": _SEALED if known.is_sealed else "yes" if known.is_usable(now) else "no",
        "can_refresh": _SEALED if known.is_sealed else "yes" if known.saved.can_refresh else "no",
        "request_count": f"{known.saved.request_count:,}",
        "today": today_text(today),
        "kind": kind_text(known),
    }
    lines: list[tuple[str, str]] = []
    for name, value in (shape | {name: spoken(word) for name, word in words.items()}).items():
        text = "" if value is None else str(value)
        if name.endswith("_at") and text:
            text = f"{text} ({spoken(_relative(name, text, now))})"
        if text:
            lines.append((name.replace("_", " "), text))
    return lines


def _relative(name: str, text: str, now: float) -> str:
    moment = instant(text) or now
    if moment > now:
        return f"in {span(moment - now)}"
    return "expired" if name.endswith("expires_at") else ago(moment, now)


def finding_json(finding: Finding) -> dict[str, Json]:
    return {"where": finding.where, "problem": finding.problem, "hint": finding.hint}


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)
