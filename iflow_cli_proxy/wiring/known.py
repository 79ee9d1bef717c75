"""An account as it is known here, wherever it is kept, and which of those that are found are the same.

Refuses to know where to look for them (`wiring/accounts.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount
from iflow_cli_proxy.providers.discovery import Discovery, Finding, LiveSignIn
from iflow_cli_proxy.signin.place import Place

KEY_LIKE_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""An id that is as hard to guess as a client key, and may be one (`auth.accept_account_ids`)."""


class Origin(StrEnum):
    """Where an account is kept."""

    OURS = "ours"
    LIVE = "live"
    """In a file of another program, used where it lies."""
    VARIABLE = "variable"
    """In the configuration or the environment."""


@dataclass(frozen=True, kw_only=True)
class KnownAccount:
    """An account, wherever it is kept."""

    saved: SavedAccount
    place: Place | None = None
    """None for a key of the configuration or the environment: it is what it is, and nothing here changes it."""
    is_ours: bool = False
    """Kept in our store, so that it can be disabled, deleted and exported."""
    is_kept_fresh: bool = True
    is_used: bool = True
    is_sealed: bool = False
    """Its secrets were not opened, so that nothing can be done with it here."""
    origin: str = ""
    """The file or variable it was found in, for people; empty for ours."""
    concurrency: int = 0
    spare: tuple[Secret, ...] = ()
    """Keys of the same sign-in from other places, to try when its own is refused."""

    def is_usable(self, now: float) -> bool:
        """Whether requests may go out on it."""
        return self.is_used and not self.is_sealed and (self.place is None or self.saved.is_usable(now))


def origin_of(known: KnownAccount) -> Origin:
    if known.is_ours:
        return Origin.OURS
    return Origin.VARIABLE if known.place is None else Origin.LIVE


def opens_door(account: SavedAccount) -> bool:
    """Whether somebody can call with its id where those are taken for client keys."""
    return KEY_LIKE_ID.fullmatch(account.id) is not None and account.state is not AccountState.DISABLED


def state_word(known: KnownAccount, now: float) -> str:
    """How it fares, in one word for programs.

    These are ok, cooling, needs_login, disabled, refused, expired, empty (no credential) and aside (known, not used).
    """
    account = known.saved
    if not known.is_used:
        return "aside"
    if known.place is None and not known.is_ours:
        return "ok"
    if account.state is AccountState.DISABLED:
        return "disabled"
    if account.state is AccountState.NEEDS_LOGIN:
        return "needs_login"
    if account.is_refused:
        return "refused"
    if not account.bearer and not known.is_sealed:
        return "empty"
    if not known.is_sealed and not account.can_refresh_later and account.bearer_expires_at <= now:
        return "expired"
    return "cooling" if is_resting(account, now) else "ok"


def is_resting(account: SavedAccount, now: float, model: str = "") -> bool:
    """By what its file says; for `model`, or for any at all."""
    if account.state is not AccountState.COOLING or account.rests_until is None or account.rests_until <= now:
        return False
    return not (model and account.rests_model) or model == account.rests_model


def accounts_in(found: Discovery, place: Callable[[LiveSignIn], Place]) -> Iterator[KnownAccount]:
    """What a search has found: sign-ins of other programs, each with its place, then keys."""
    live = {one.account.id: one for one in found.live}
    spare = tuple(account.api_key for account in found.spare)
    for one in live.values():
        yield KnownAccount(
            saved=one.account,
            place=place(one),
            is_kept_fresh=one.is_kept_fresh,
            is_used=one.is_used,
            origin=str(one.file.path),
            spare=spare,
        )
    for account in found.accounts:
        if account.id not in live:
            yield KnownAccount(
                saved=_as_saved(account), origin=account.origin, concurrency=account.concurrency, spare=spare
            )


def _as_saved(account: Account) -> SavedAccount:
    """A key of the configuration in the shape of the others."""
    return SavedAccount(
        id=account.id,
        provider=account.provider,
        label=account.label,
        auth_type=AuthType.API_KEY,
        api_key=account.api_key,
        base_url=account.base_url,
    )


def is_among(one: KnownAccount, mine: Iterable[SavedAccount]) -> bool:
    """Whether an account that was found is one of ours too, or has nothing that ours do not have.

    An imported copy that is dead says nothing about its original, which its own program may have signed in anew.
    """
    for other in mine:
        same_file = bool(one.origin) and one.place is not None and one.origin == other.imported_from
        is_copied = same_file and not (other.is_refused or other.state is AccountState.NEEDS_LOGIN)
        has_nothing = not one.saved.bearer and not one.saved.can_refresh
        if is_copied or has_nothing or (one.saved.bearer and one.saved.bearer == other.bearer):
            return True
        mine_tokens, its_tokens = other.tokens, one.saved.tokens
        if mine_tokens and its_tokens and mine_tokens.refresh_token == its_tokens.refresh_token:
            return True
    return False


def left_out(ours: Iterable[KnownAccount], providers: Collection[str]) -> Iterator[Finding]:
    """What to say of accounts whose provider is none of `providers`."""
    for name in sorted({one.saved.provider for one in ours}.difference(providers)):
        yield Finding(
            where=f"providers.{name}",
            problem=f"is not there, so the accounts of {name} are not used",
            hint=f"write a table [providers.{name}], or delete them: iflow2api token list",
        )


def taken(one: KnownAccount, other: KnownAccount) -> Finding:
    """One sign-in serves one provider: two would refresh it against each other."""
    return Finding(
        where=one.origin or f"providers.{one.saved.provider}",
        problem=f"is used for {other.saved.provider} already, so {one.saved.provider} does without it",
        hint=f"give [providers.{one.saved.provider}] an api_key of its own",
    )
