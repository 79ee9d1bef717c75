"""Whether what lies in a place is good enough for a caller, and whether anybody may ask the server now.

Knows what this process remembers of each account, on a clock that never jumps: notes in places are written by the time
of day, and places that other programs share hold none. Refuses to know how a refresh is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import CredentialError, GatewayError, LoginRequired, Overloaded
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.providers.signin import RefreshPolicy
from iflow_cli_proxy.signin import timing

_JUST_S: Final = 30.0
"""Who insists on a refresh is content with one that somebody else made so recently."""


@dataclass(frozen=True)
class Wish:
    """What a caller wants of an account; who wants the same shares one flight."""

    account_id: str
    seen: Secret | None
    is_forced: bool


@dataclass(kw_only=True)
class _Memory:
    """Of one pair of tokens; `early_at` outlives it."""

    tokens: tuple[Secret, Secret] = field(default_factory=lambda: (Secret(), Secret()))
    rests_until: float = 0.0
    failures: int = 0
    """In a row."""
    error: GatewayError | None = None
    is_over: bool = False
    """The server refused them for good."""
    early_at: float = float("-inf")
    """When a refused bearer was last allowed a refresh before its time."""


class Turns:
    def __init__(self, clock: Clock, chance: Callable[[], float]) -> None:
        self._clock = clock
        self._chance = chance
        self._memories: dict[str, _Memory] = {}

    def is_enough(self, account: SavedAccount, policy: RefreshPolicy, wish: Wish) -> bool:
        """Whether the account as it is there fulfils the wish, such as after another process refreshed it."""
        now = self._clock.now()
        if wish.seen is not None:
            return bool(account.bearer) and account.bearer != wish.seen and account.bearer_expires_at > now
        if wish.is_forced:
            return timing.is_fresh(account, now=now, within_s=_JUST_S) and not timing.lacks_profile(account)
        return timing.wanted_in_s(account, policy, now=now, chance=1.0) > 0

    def check(self, account: SavedAccount, policy: RefreshPolicy, wish: Wish) -> None:
        """Raises when nobody may ask now: LoginRequired for good, anything else until `retry_after_s` is over."""
        if not account.can_refresh:
            raise LoginRequired("This account has no refresh token.", hint=sign_in_again(account))
        if wish.is_forced:
            return
        memory = self._of(account)
        reason = account.last_error or (memory.error.message if memory.error else "")
        passed = self._clock.monotonic()
        wait_s = max(timing.rest_s(account, policy, now=self._clock.now()), memory.rests_until - passed)
        if memory.is_over or (account.state is AccountState.NEEDS_LOGIN and wait_s > 0):
            raise LoginRequired(reason or "Its sign-in has ended.", hint=sign_in_again(account))
        if wait_s <= 0:
            return
        if account.refresh_failures or memory.error:
            raise Overloaded(f"The next refresh is tried in {wait_s:.0f} s. {reason}".rstrip(), retry_after_s=wait_s)
        if wish.seen is None or passed - memory.early_at < policy.least_interval_s:
            raise CredentialError("It was refreshed a moment ago; there is no newer credential.", retry_after_s=wait_s)
        memory.early_at = passed

    def succeeded(self, account: SavedAccount, policy: RefreshPolicy) -> None:
        memory = self._of(account)
        memory.failures, memory.error, memory.is_over = 0, None, False
        memory.rests_until = self._clock.monotonic() + timing.least_interval_s(account, policy)

    def failed(self, account: SavedAccount, policy: RefreshPolicy, error: GatewayError, *, is_over: bool) -> None:
        """`account` has its failures counted already; `is_over` says that these tokens are never to be sent again."""
        memory = self._of(account)
        memory.failures = max(memory.failures + 1, account.refresh_failures)
        pause_s = timing.pause_s(memory.failures, policy, error)
        memory.rests_until = self._clock.monotonic() + pause_s * (0.9 + 0.2 * self._chance())
        if is_over or not memory.is_over:  # the end is not taken back by a failure that passes
            memory.error, memory.is_over = error, is_over

    def told(self, account: SavedAccount) -> SavedAccount:
        """An account just read, with the end of its sign-in where its place does not say so. For any thread."""
        memory = self._memories.get(account.id)
        is_over = memory is not None and memory.is_over and memory.tokens == _pair(account)
        if memory is None or not is_over or account.state in (AccountState.NEEDS_LOGIN, AccountState.DISABLED):
            return account
        reason = account.last_error or (memory.error.message if memory.error else "")
        return replace(account, state=AccountState.NEEDS_LOGIN, last_error=reason)

    def _of(self, account: SavedAccount) -> _Memory:
        memory = self._memories.setdefault(account.id, _Memory())
        tokens = _pair(account) or memory.tokens
        if memory.tokens != tokens:
            memory = self._memories[account.id] = _Memory(tokens=tokens, early_at=memory.early_at)
        return memory


def _pair(account: SavedAccount) -> tuple[Secret, Secret] | None:
    return (account.tokens.refresh_token, account.tokens.access_token) if account.tokens else None


def sign_in_again(account: SavedAccount) -> str:
    """The hint for an account that only a person can help."""
    return f"run `iflow2api login {account.provider}`"
