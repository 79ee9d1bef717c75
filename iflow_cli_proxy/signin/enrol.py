"""Where a sign-in becomes an account of ours: a new one, or the one that this identity has already.

Knows which marks a new credential clears and what stays. Refuses to know how the sign-in was made and where the store
keeps it. Files of other programs come another way (`signin/foreign/taking.py`): of them nobody knows what is newer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.ids import Entropy, uuid4
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.signin.identity import check_label, free_label, is_dead, made_label, marks, revived
from iflow_cli_proxy.signin.signed_in import SignedIn
from iflow_cli_proxy.state.accounts import AccountStore


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    account: SavedAccount
    """As it is kept now."""
    is_new: bool


def enrol(
    store: AccountStore,
    provider: str,
    signed_in: SignedIn,
    *,
    label: str = "",
    now: float,
    entropy: Entropy,
) -> Enrolled:
    """Keep it; `label` is a person's choice, else one is made of what the provider tells. Blocks on the disk.

    A label that another identity has gets a number. A sign-in with a `problem` is kept too, out of use until a refresh
    has brought its API key.

    Raises:
        InvalidRequest: `label` cannot be one.
        StateError: it could not be written.
    """
    wanted = check_label(label) if label else ""
    known = [account for account in store.load().accounts if account.provider == provider]
    fresh = _fresh(provider, signed_in, now=now)
    old = _same_identity(known, fresh, wanted=wanted)
    taken = {each.label for each in known if each is not old}
    if old is None:
        free = free_label(wanted or made_label(signed_in.label, signed_in.user_id, provider), taken)
        new = replace(_noted(fresh, signed_in.problem, now=now), id=uuid4(entropy), label=free)
        store.create(new)
        return Enrolled(account=new, is_new=True)
    chosen = free_label(wanted, taken) if wanted else ""

    def edit(held: SavedAccount) -> SavedAccount:
        return _noted(_renewed(held, fresh, label=chosen), signed_in.problem, now=now, had=held)

    return Enrolled(account=store.change(old.id, edit), is_new=False)


def _fresh(provider: str, signed_in: SignedIn, *, now: float) -> SavedAccount:
    """The account that this sign-in would be by itself, without id and label.

    Where a provider tells a name and no id, the name is the id, to the letter: of two labels made from names nobody
    could say whether they are one person's.
    """
    return SavedAccount(
        id="",
        provider=provider,
        label="",
        auth_type=signed_in.auth_type,
        api_key=signed_in.api_key,
        api_key_expires_at=signed_in.api_key_expires_at,
        tokens=signed_in.tokens,
        base_url=signed_in.base_url,
        user_id=signed_in.user_id or signed_in.label,
        created_at=now,
        updated_at=now,
        refreshed_at=now if signed_in.tokens else None,
    )


def _noted(
    account: SavedAccount, problem: GatewayError | None, *, now: float, had: SavedAccount | None = None
) -> SavedAccount:
    """With the reason why its key is still to come, in the state of a refresh whose second half failed
    (`timing.lacks_profile`): so the keeper asks for the key and leaves the tokens alone."""
    if problem is None:
        return account
    return replace(
        account,
        failing_since=now,
        refresh_failures=1,
        last_error=f"Signed in, but its API key could not be asked for. {problem.message}",
        last_error_at=now,
        # The access token is not what the API takes; the key from before goes on if it worked.
        is_refused=had.is_refused if had is not None and account.api_key else True,
    )


def _renewed(old: SavedAccount, fresh: SavedAccount, *, label: str) -> SavedAccount:
    """`old` with a new credential: every mark of the dead one goes, what a person chose stays."""
    renewed = replace(
        revived(old),
        label=label or old.label,
        auth_type=fresh.auth_type,
        api_key=fresh.api_key,
        api_key_expires_at=fresh.api_key_expires_at,
        tokens=fresh.tokens,
        base_url=fresh.base_url or old.base_url,
        user_id=fresh.user_id or old.user_id,
        updated_at=fresh.updated_at,
        refreshed_at=fresh.refreshed_at,
        imported_from="",
    )
    if fresh.tokens is None and old.tokens is not None and fresh.api_key == old.api_key:
        # The bare key of an account that can renew it by itself.
        return replace(renewed, auth_type=old.auth_type, tokens=old.tokens, refreshed_at=old.refreshed_at)
    if fresh.tokens is not None and not fresh.api_key and old.auth_type is AuthType.OAUTH and old.api_key:
        # The key has not come yet: the one from before goes on for as long as it works.
        return replace(renewed, api_key=old.api_key, api_key_expires_at=old.api_key_expires_at)
    return renewed


def _same_identity(known: Sequence[SavedAccount], fresh: SavedAccount, *, wanted: str) -> SavedAccount | None:
    """The account that this sign-in belongs to: by what only one identity has, or by the name a person chose for it.

    Where a provider tells nothing about the person and none was named, the one account that waits for a sign-in is it.
    """
    owners = {mark: account for account in reversed(known) for mark in marks(account)}
    for mark in marks(fresh):
        if mark in owners:
            return owners[mark]
    alike = [each for each in known if _may_be_one(each, fresh)]
    if wanted:
        return next((each for each in alike if each.label == wanted), None)
    waiting = [] if fresh.user_id else [each for each in alike if is_dead(each)]
    return waiting[0] if len(waiting) == 1 else None


def _may_be_one(one: SavedAccount, fresh: SavedAccount) -> bool:
    """Whether a name alone may join them: a key does not take the place of a sign-in, nor one person another's."""
    are_different_people = bool(one.user_id and fresh.user_id) and one.user_id != fresh.user_id
    return one.auth_type is fresh.auth_type and not are_different_people
