"""An account as it is kept between runs: who it is, what it holds, how it has fared.

Knows which facts there are and what follows from them at a given moment. Refuses to know files and formats
(`state/accounts.py`) and how a credential is renewed (`signin/refresh.py`). All instants are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.secret import Secret


class AccountState(StrEnum):
    OK = "ok"
    COOLING = "cooling"
    """It rests until `rests_until`."""
    NEEDS_LOGIN = "needs_login"
    """Its refresh is dead; only a person can bring it back."""
    DISABLED = "disabled"
    """Switched off by a person."""


class AuthType(StrEnum):
    API_KEY = "api_key"
    OAUTH = "oauth"


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What a token endpoint gave, complete and checked."""

    access_token: Secret
    refresh_token: Secret = field(default_factory=Secret)
    """Empty when the server gave none: then nothing can be refreshed."""
    expires_at: float | None = None
    """When the access token ends; None when nobody said."""
    token_type: str = "bearer"
    scope: str = ""
    base_url: str = ""
    """Where the API begins, when the server says so (Qwen's `resource_url`, made a URL)."""


@dataclass(frozen=True, kw_only=True)
class SavedAccount:
    """One identity at one provider. Change it with `dataclasses.replace`; `extras` are fields we do not know."""

    id: str
    """A UUID for accounts of ours; a fixed name for a sign-in of another program that is used where it lies."""
    provider: str
    """As in `[providers.NAME]`."""
    label: str
    """What people call it; unique within its provider, never a secret."""
    auth_type: AuthType
    api_key: Secret = field(default_factory=Secret)
    """The bearer value where it is not the access token itself (iFlow, and every plain API key)."""
    api_key_expires_at: float | None = None
    tokens: Tokens | None = None
    base_url: str = ""
    """Where its API begins; empty for the provider's own."""
    user_id: str = ""
    """The provider's own id of the person, where it tells one."""
    created_at: float = 0.0
    updated_at: float = 0.0
    refreshed_at: float | None = None
    """The last time that a refresh brought new tokens."""
    last_used_at: float | None = None
    request_count: int = 0
    last_error: str = ""
    """One line for people, without secrets; empty after a success."""
    last_error_at: float | None = None
    failing_since: float | None = None
    """Since when every refresh failed for reasons that may pass; None when the last one went well, or when the server
    refused for good."""
    refresh_failures: int = 0
    """How many in a row."""
    state: AccountState = AccountState.OK
    is_refused: bool = False
    """The upstream did not take the bearer and no refresh helped; cleared by a new credential."""
    enabled_at: float | None = None
    """When a person enabled it last: gateways then forget whatever kept it out."""
    rests_until: float | None = None
    rests_model: str = ""
    """The model it rests for; empty for all."""
    rest_reason: str = ""
    """As in `pool/rest.py`; empty while it does not rest."""
    concurrency: int | None = None
    """Requests at one time, 0 for no limit; None as its provider has it."""
    imported_from: str = ""
    """The file it was taken from, for people."""
    extras: Mapping[str, Json] = field(default_factory=dict)

    @property
    def bearer(self) -> Secret:
        """What goes out as `Authorization: Bearer`."""
        return self.api_key or (self.tokens.access_token if self.tokens else Secret())

    @property
    def bearer_expires_at(self) -> float:
        """When the bearer stops working as far as anybody said; `inf` when nobody did."""
        if self.api_key:
            return inf if self.api_key_expires_at is None else self.api_key_expires_at
        return self.tokens.expires_at if self.tokens and self.tokens.expires_at is not None else inf

    @property
    def can_refresh(self) -> bool:
        return self.tokens is not None and bool(self.tokens.refresh_token)

    def is_usable(self, now: float) -> bool:
        """Whether requests may go out on it: a dead refresh alone does not stop a bearer that still works."""
        if self.state is AccountState.DISABLED or self.is_refused or not self.bearer:
            return False
        return self.can_refresh_later or self.bearer_expires_at > now

    @property
    def can_refresh_later(self) -> bool:
        """An expired bearer may come back by itself."""
        return self.can_refresh and self.state is not AccountState.NEEDS_LOGIN


def enabled(account: SavedAccount, *, now: float) -> SavedAccount:
    """In use again, with every mark gone that kept it out: the person knows better."""
    return replace(
        without_rest(account),
        state=AccountState.OK,
        enabled_at=now,
        is_refused=False,
        failing_since=None,
        refresh_failures=0,
        last_error="",
        last_error_at=None,
    )


def disabled(account: SavedAccount) -> SavedAccount:
    return replace(without_rest(account), state=AccountState.DISABLED)


def without_rest(account: SavedAccount) -> SavedAccount:
    """Nothing is noted of a rest; the state is what it was."""
    return replace(account, rests_until=None, rests_model="", rest_reason="")
