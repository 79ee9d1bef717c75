"""A client key: what one of our callers may use, how much of it, and until when. Values and plain questions to them.

Knows a key by the digest of its secret only. Refuses to know files (`state/keys.py`), headers and how much of an
allowance is left (`allowance.py`). Instants are epoch seconds; globs do not tell capital letters from small ones.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import inf
from typing import Final, Literal, TypeAlias

from iflow_cli_proxy.core.errors import Forbidden, Unauthenticated
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account

Unit: TypeAlias = Literal["tokens", "usd"]
Period: TypeAlias = Literal["day", "month"]

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
DIGEST_BYTES: Final = 32
_SECRET_BYTES: Final = 32
_PREFIX: Final = "sk-i2a-"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may be used up in one day or month of UTC."""

    amount: float
    unit: Unit = "tokens"
    per: Period = "month"

    def __str__(self) -> str:
        shown = f"{self.amount:,.0f} tokens" if self.unit == "tokens" else f"{self.amount:,.2f} usd"
        return f"{shown} a {self.per}"


@dataclass(frozen=True, kw_only=True)
class Retiring:
    """The digest of a secret that was replaced and works a little longer."""

    digest: bytes
    until: float


@dataclass(frozen=True, kw_only=True)
class ClientKey:
    """One key and its limits; 0 is no limit, an empty list of globs everything."""

    name: str
    digest: bytes
    retiring: tuple[Retiring, ...] = ()
    models: tuple[str, ...] = ()
    """Globs over the name that was asked for and the one it stands for."""
    accounts: tuple[str, ...] = ()
    """Globs over provider/label."""
    pool: str = ""
    """The name of a [pools.NAME] table; with `accounts`, an account has to fit both."""
    rpm: int = 0
    tpm: int = 0
    concurrency: int = 0
    budget: Budget | None = None
    created_at: float = 0.0
    expires_at: float = inf
    revoked_at: float | None = None
    is_disabled: bool = False
    """Out of use until somebody says otherwise, where a revoked key never comes back."""
    note: str = ""

    @property
    def is_limited(self) -> bool:
        """Whether somebody has to count what it is used for."""
        return bool(self.rpm or self.tpm or self.concurrency or self.budget)

    def is_usable(self, now: float) -> bool:
        return self.revoked_at is None and not self.is_disabled and now < self.expires_at

    def digests(self, now: float) -> tuple[bytes, ...]:
        """Of every secret that opens the door at this moment, as far as the key itself does."""
        return (self.digest, *(one.digest for one in self.retiring if now < one.until))


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who a request is from and what it may use; without a key, anything."""

    name: str = ""
    """For logs and the fair queue; empty for somebody unknown."""
    key: ClientKey | None = None
    account_id: str = ""
    """The only account it may use, when it called by that account's id."""


ANYONE: Final = Caller()


def new_secret(entropy: Entropy) -> Secret:
    """`sk-i2a-` and 256 bits nobody can foresee."""
    return Secret(_PREFIX + base64.urlsafe_b64encode(entropy(_SECRET_BYTES)).decode().rstrip("="))


def digest_of(secret: str) -> bytes:
    """What is kept and compared instead of a secret. Slow hashing is for words people choose; these are random."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def check_usable(key: ClientKey, now: float) -> None:
    """Raises Unauthenticated or Forbidden, saying which, when the key is out of use (I6)."""
    if key.revoked_at is not None:
        raise Unauthenticated("This client key has been revoked.", hint="ask for another one", code="key_revoked")
    if key.is_disabled:
        raise Forbidden("This client key is switched off.", hint="ask whoever gave it to you", code="key_disabled")
    if now >= key.expires_at:
        raise Forbidden("This client key has expired.", hint="ask for another one", code="key_expired")


def allows_model(key: ClientKey | None, asked: str, resolved: str) -> bool:
    """Whether a route may be taken: `resolved` is `provider/model`, and either name or the model alone may fit."""
    if key is None or not key.models:
        return True
    return any(_fits(name, key.models) for name in (asked, resolved, resolved.partition("/")[2]))


def check_model(key: ClientKey | None, asked: str, resolved: str) -> None:
    """Raises Forbidden when the key may not use this model."""
    if not allows_model(key, asked, resolved):
        raise Forbidden(
            "This client key may not use this model.",
            hint="GET /v1/models lists what there is; ask whoever gave you the key",
            param="model",
            code="model_not_allowed",
        )


def allowed_accounts(
    caller: Caller, accounts: Iterable[Account], pools: Mapping[str, tuple[str, ...]]
) -> frozenset[str] | None:
    """The ids of the accounts the caller may use, None for all.

    `pools` are the globs of each [pools.NAME]; a pool that is not there has nobody in it.
    """
    if caller.account_id:
        return frozenset((caller.account_id,))
    key = caller.key
    if key is None or not (key.accounts or key.pool):
        return None
    groups = [key.accounts] if key.accounts else []
    groups += [pools.get(key.pool, ())] if key.pool else []
    return frozenset(
        account.id
        for account in accounts
        if all(_fits(f"{account.provider}/{account.label}", globs) for globs in groups)
    )


def _fits(name: str, globs: Iterable[str]) -> bool:
    name = name.lower()
    return any(fnmatchcase(name, glob.lower()) for glob in globs)
