"""What becomes of accounts that are brought in: new ones, newer credentials for known ones, and nothing new.

Values in, values out; writing them down is for the caller. What makes two accounts the same is `signin/identity.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from typing import Final

from iflow_cli_proxy.core.ids import Entropy, uuid4
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.signin.identity import free_label, is_dead, made_label, marks, revived

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Fate(StrEnum):
    IMPORTED = "imported"
    UPDATED = "updated"
    ALREADY_THERE = "already_there"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is to be done with one account."""

    fate: Fate
    account: SavedAccount
    """As it will be kept."""
    brought: SavedAccount
    """As it was found."""


def plan(
    existing: Iterable[SavedAccount], brought: Sequence[SavedAccount], *, now: float, entropy: Entropy
) -> list[Step]:
    """A step for each account that is brought, in its order; later ones are compared with earlier ones too."""
    known = list(existing)
    places = {mark: at for at, one in reversed(list(enumerate(known))) for mark in marks(one)}
    steps: list[Step] = []
    for each in brought:
        at = next((places[mark] for mark in marks(each) if mark in places), len(known))
        if at == len(known):
            known.append(_fitted(each, known, now, entropy))
            fate = Fate.IMPORTED
        else:
            newer = renewed(known[at], each, now=now)
            fate = Fate.ALREADY_THERE if newer is None else Fate.UPDATED
            known[at] = newer or known[at]
        places |= {mark: places.get(mark, at) for mark in (*marks(each), *marks(known[at]))}
        steps.append(Step(fate=fate, account=known[at], brought=each))
    return steps


def renewed(known: SavedAccount, brought: SavedAccount, *, now: float) -> SavedAccount | None:
    """`known` with what is newer in `brought`; None when nothing is. One that was switched off stays off."""
    if not _is_newer(known, brought):
        return None
    tokens = brought.tokens or known.tokens
    return replace(
        revived(known),
        auth_type=AuthType.OAUTH if tokens else AuthType.API_KEY,
        api_key=brought.api_key or known.api_key,
        api_key_expires_at=brought.api_key_expires_at if brought.api_key else known.api_key_expires_at,
        tokens=tokens,
        base_url=known.base_url or brought.base_url,
        user_id=known.user_id or brought.user_id,
        updated_at=now,
        imported_from=brought.imported_from,
    )


def _is_newer(known: SavedAccount, brought: SavedAccount) -> bool:
    """By the end of its tokens where both have some, else by age; a dead credential gives way to any other."""
    if brought.tokens is not None:
        if known.tokens is None:
            return True
        if brought.tokens.refresh_token == known.tokens.refresh_token:
            return False
        return is_dead(known) or (brought.tokens.expires_at or -inf) > (known.tokens.expires_at or -inf)
    if not brought.api_key or brought.api_key == known.api_key:
        return False
    return is_dead(known) or brought.updated_at > known.updated_at


def _fitted(account: SavedAccount, known: Sequence[SavedAccount], now: float, entropy: Entropy) -> SavedAccount:
    """A new account of ours: an id of its own, a label nobody else has there."""
    taken = {one.id for one in known}
    labels = {one.label for one in known if one.provider == account.provider}
    return replace(
        account,
        id=account.id if _UUID.fullmatch(account.id) and account.id not in taken else uuid4(entropy),
        label=free_label(made_label(account.label, account.user_id, account.provider), labels),
        created_at=account.created_at or now,
        updated_at=now,
    )
