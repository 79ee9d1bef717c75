"""Which account is which: what two of them share when they are the same, what they are called, whether they are dead.

Pure, and for all who bring credentials: people who sign in (`signin/enrol.py`) and files of other programs
(`signin/foreign/taking.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import replace
from itertools import count
from typing import Final, TypeAlias

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount

Mark: TypeAlias = tuple[str, str, str]
"""Provider, kind and text of what only one identity has."""

_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LONGEST: Final = 63
_DEVICE_NAMES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
)
"""Files that Windows does not let anybody create."""
_NOT_IN_A_LABEL: Final = re.compile(r"[^a-z0-9_]+")


# --- sameness -----------------------------------------------------------------------------------------------------


def marks(account: SavedAccount) -> list[Mark]:
    """What makes it the same as another that has one of them, the surest first."""
    tokens = account.tokens
    texts = {
        "id": account.id,
        "key": account.api_key.reveal(),
        "refresh token": tokens.refresh_token.reveal() if tokens else "",
        "access token": tokens.access_token.reveal() if tokens else "",
        "user": account.user_id,
    }
    return [(account.provider, kind, text) for kind, text in texts.items() if text]


# --- life ---------------------------------------------------------------------------------------------------------


def is_dead(account: SavedAccount) -> bool:
    """Whether any other credential is better than what it holds."""
    return account.state is AccountState.NEEDS_LOGIN or account.is_refused


def revived(account: SavedAccount) -> SavedAccount:
    """Without the marks of a dead credential, for a new one; what a person or the upstream has decided stays."""
    return replace(
        account,
        state=AccountState.OK if account.state is AccountState.NEEDS_LOGIN else account.state,
        rests_until=account.rests_until if account.state is not AccountState.NEEDS_LOGIN else None,
        is_refused=False,
        failing_since=None,
        refresh_failures=0,
        last_error="",
        last_error_at=None,
    )


# --- labels (RELIABILITY I39) -------------------------------------------------------------------------------------


def check_label(text: str) -> str:
    """A name that a person gives. Raises InvalidRequest with a name that would do."""
    if _LABEL.fullmatch(text) and text not in _DEVICE_NAMES:
        return text
    better = slug(text)
    raise InvalidRequest(
        "An account's name has 1 to 63 small letters, digits, - and _, and begins with a letter or digit.",
        hint=f"try {better}" if better else "try a short word such as work",
        param="name",
    )


def slug(text: str) -> str:
    """A label made of any words, such as a mail address; empty when nothing of them is left."""
    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode("ascii").lower()
    label = _NOT_IN_A_LABEL.sub("-", plain).strip("-_")[:_LONGEST].rstrip("-_")
    return f"{label}-account" if label in _DEVICE_NAMES else label


def made_label(*told: str) -> str:
    """A label of the first of these texts that one can be made of."""
    return next((label for text in told if (label := slug(text))), "account")


def free_label(wanted: str, taken: Collection[str]) -> str:
    """`wanted`, or with the first number that makes it unique."""
    numbered = (f"{wanted[: _LONGEST - 1 - len(str(number))]}-{number}" for number in count(2))
    return wanted if wanted not in taken else next(label for label in numbered if label not in taken)
