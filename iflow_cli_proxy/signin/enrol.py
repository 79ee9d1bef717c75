"""Where a sign-in becomes an account of ours: a new one, or the one that this identity has already.

Knows what makes two sign-ins the same identity, which marks a new credential clears, and what an account may be called
(RELIABILITY I39). Refuses to know how the sign-in was made and where the store keeps it. A credential that works is
never replaced by an older copy of it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.ids import Entropy, uuid4
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount
from iflow_cli_proxy.signin.signed_in import SignedIn
from iflow_cli_proxy.state.accounts import AccountStore

_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LONGEST: Final = 63
_DEVICE_NAMES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
)
"""Files that Windows does not let anybody create."""
_NOT_IN_A_LABEL: Final = re.compile(r"[^a-z0-9_]+")


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    account: SavedAccount
    """As it is kept now."""
    is_new: bool
    is_changed: bool = True
    """False for a copy that brought nothing newer."""


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


def enrol(
    store: AccountStore,
    provider: str,
    signed_in: SignedIn,
    *,
    label: str = "",
    base_url: str = "",
    now: float,
    entropy: Entropy,
    imported_from: str = "",
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
    fresh = _fresh(provider, signed_in, base_url=base_url, now=now, imported_from=imported_from)
    made_up = slug(signed_in.label) or slug(signed_in.user_id) or slug(provider) or "account"
    old = _same_identity(known, fresh, wanted=wanted, told=slug(signed_in.label))
    if old is None:
        fresh = replace(fresh, id=uuid4(entropy), label=_free_label(wanted or made_up, known))
        store.create(fresh)
        return Enrolled(account=fresh, is_new=True)
    chosen = _free_label(wanted, [account for account in known if account.id != old.id]) if wanted else ""
    is_changed = True

    def edit(held: SavedAccount) -> SavedAccount:
        nonlocal is_changed
        is_changed = not (imported_from and _is_older_copy(fresh, held))
        return _renewed(held, fresh, label=chosen) if is_changed else held

    kept = store.change(old.id, edit)
    return Enrolled(account=kept, is_new=False, is_changed=is_changed)


def _fresh(provider: str, signed_in: SignedIn, *, base_url: str, now: float, imported_from: str) -> SavedAccount:
    """The account that this sign-in would be by itself, without id and label."""
    problem = signed_in.problem
    return SavedAccount(
        id="",
        provider=provider,
        label="",
        auth_type=signed_in.auth_type,
        api_key=signed_in.api_key,
        api_key_expires_at=signed_in.api_key_expires_at,
        tokens=signed_in.tokens,
        base_url=base_url or signed_in.base_url,
        user_id=signed_in.user_id,
        created_at=now,
        updated_at=now,
        # Of imported tokens nobody knows the age. Those that lack their key are in the state of a refresh whose second
        # half failed (`timing.lacks_profile`), so that the keeper asks for the key and leaves the tokens alone.
        refreshed_at=now if signed_in.tokens and not imported_from else None,
        failing_since=now if problem else None,
        refresh_failures=1 if problem else 0,
        last_error=f"Signed in, but its API key could not be asked for. {problem.message}" if problem else "",
        last_error_at=now if problem else None,
        is_refused=problem is not None,  # the access token is not what the API takes
        imported_from=imported_from,
    )


def _renewed(old: SavedAccount, fresh: SavedAccount, *, label: str) -> SavedAccount:
    """`old` with a new credential: every mark of the dead one goes, what a person chose stays."""
    renewed = replace(
        fresh,
        id=old.id,
        label=label or old.label,
        base_url=fresh.base_url or old.base_url,
        user_id=fresh.user_id or old.user_id,
        created_at=old.created_at,
        last_used_at=old.last_used_at,
        request_count=old.request_count,
        rests_until=old.rests_until,
        state=AccountState.OK if old.state is AccountState.NEEDS_LOGIN else old.state,
        extras=old.extras,
    )
    if fresh.tokens is None and old.tokens is not None and fresh.api_key == old.api_key:
        # The bare key of an account that can renew it by itself.
        return replace(renewed, auth_type=old.auth_type, tokens=old.tokens, refreshed_at=old.refreshed_at)
    if fresh.tokens is not None and not fresh.api_key and old.auth_type is AuthType.OAUTH and old.api_key:
        # The key has not come yet: the one from before goes on for as long as it works.
        return replace(
            renewed,
            api_key=old.api_key,
            api_key_expires_at=old.api_key_expires_at,
            is_refused=fresh.is_refused and old.is_refused,
        )
    return renewed


def _is_older_copy(fresh: SavedAccount, held: SavedAccount) -> bool:
    """Whether an import has nothing that the account lacks: a rotated refresh token must not be put back (R12)."""
    if fresh.tokens is None or held.tokens is None:
        return fresh.tokens is None and fresh.api_key == held.api_key
    if fresh.tokens.access_token == held.tokens.access_token:
        return not fresh.api_key or bool(held.api_key)
    if _is_dead(held):
        return False
    return (fresh.tokens.expires_at or 0.0) <= (held.tokens.expires_at or 0.0)


def _same_identity(
    known: Sequence[SavedAccount], fresh: SavedAccount, *, wanted: str, told: str
) -> SavedAccount | None:
    """The account that this sign-in belongs to: by its secrets, by the provider's id, by name, in this order.

    Where a provider tells nothing about the person and none was named, the one account that waits for a sign-in is it.
    """
    by_secret = [each for each in known if _secrets(each) & _secrets(fresh)]
    by_person = [each for each in known if fresh.user_id and each.user_id == fresh.user_id]
    alike = [each for each in known if _may_be_one(each, fresh)]
    name = wanted or told
    by_name = [each for each in alike if each.label == name]
    waiting = [] if name or fresh.user_id or fresh.imported_from else [each for each in alike if _is_dead(each)]
    found = by_secret or by_person or by_name or (waiting if len(waiting) == 1 else [])
    return found[0] if found else None


def _may_be_one(one: SavedAccount, fresh: SavedAccount) -> bool:
    """Whether a name alone may join them: a key does not take the place of a sign-in, nor one person another's."""
    are_different_people = bool(one.user_id and fresh.user_id) and one.user_id != fresh.user_id
    return one.auth_type is fresh.auth_type and not are_different_people


def _is_dead(account: SavedAccount) -> bool:
    return account.state is AccountState.NEEDS_LOGIN or account.is_refused


def _secrets(account: SavedAccount) -> frozenset[Secret]:
    tokens = account.tokens
    held = (account.api_key, *((tokens.access_token, tokens.refresh_token) if tokens else ()))
    return frozenset(secret for secret in held if secret)


def _free_label(wanted: str, known: Iterable[SavedAccount]) -> str:
    """`wanted`, or with the first number that makes it unique."""
    taken = {account.label for account in known}
    numbered = (f"{wanted[: _LONGEST - 1 - len(str(number))]}-{number}" for number in count(2))
    return wanted if wanted not in taken else next(label for label in numbered if label not in taken)
