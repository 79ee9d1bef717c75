"""How a lease went, and what that says about the account and its host: the one table from errors to effects.

Knows which error is whose fault. Refuses to know how long a rest is (`rest.py`) and when a breaker opens
(`breaker.py`). What is not in the table says nothing about an account: a client's mistake, a client that left, a bug of
ours, and a credential that ran out, which is renewed or signed in again elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.rest import RestReason


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a lease that comes back."""

    error: GatewayError | None = None
    """None when it went well, or when what happened says nothing about the account."""
    is_success: bool = False
    """A good answer: it ends trials, and closes breakers."""
    tokens: int = 0
    """What was used in the end; 0 when nobody said, then the estimate stands."""
    headers: Mapping[str, str] = {}
    """Of the answer, names in lower case: `x-ratelimit-*`, `anthropic-ratelimit-*`, `ratelimit-*` and `date`."""
    is_unsent: bool = False
    """Nothing went out, so nothing counts towards the pace."""


UNSENT: Final = Outcome(is_unsent=True)
"""Of a lease that nobody used."""


HostSays: TypeAlias = Literal["nothing", "fails", "lives"]
"""A host fails when no connection to it holds; its accounts are not to blame then, and all are back when it is. Any
answer shows that it lives, however bad: one account or one model in trouble must not keep its neighbours out. An
account whose connections alone fail, while the host answers others, is to blame after all (`Standing.note_lost`)."""


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What an error changes."""

    rest: RestReason | None = None
    needs_hint: bool = False
    """It rests only when the upstream said for how long."""
    is_whole_account: bool = False
    """Not for the model alone."""
    is_fault: bool = False
    """It counts as a failure of the account with this family of models."""
    host: HostSays = "nothing"


_LIVES: Final[HostSays] = "lives"
_FAULT: Final = Effect(is_fault=True, host=_LIVES)
_PUT_OFF: Final = Effect(rest=RestReason.RATE, needs_hint=True, is_fault=True, host=_LIVES)
_NO_CONNECTION: Final = Effect(host="fails")
NOTHING: Final = Effect()

EFFECTS: Final[Mapping[type[GatewayError], Effect]] = {
    GatewayError: NOTHING,
    errors.RateLimited: Effect(rest=RestReason.RATE, host=_LIVES),
    errors.QuotaExhausted: Effect(rest=RestReason.QUOTA, host=_LIVES),
    errors.Revoked: Effect(rest=RestReason.FORBIDDEN, host=_LIVES),
    errors.Blocked: Effect(rest=RestReason.BLOCKED, is_whole_account=True, host=_LIVES),
    errors.Overloaded: _PUT_OFF,
    errors.Failing: _PUT_OFF,
    errors.Unreachable: _NO_CONNECTION,
    errors.TlsFailed: _NO_CONNECTION,
    errors.ConnectionLost: _NO_CONNECTION,
    errors.TimedOut: Effect(is_fault=True),
    errors.Malformed: _FAULT,
    errors.UpstreamError: _FAULT,
    errors.Rejected: Effect(host=_LIVES),
}
"""The entry of the nearest class above an error holds."""

_OWN_LIMITS: Final = frozenset({"", "connect", "first_byte", "idle", "content", "total", "json_total"})


def effect_of(error: GatewayError | None) -> Effect:
    """What `error` changes; a limit that the client chose itself says nothing about the upstream."""
    if error is None:
        return NOTHING
    if isinstance(error, errors.TimedOut) and error.limit not in _OWN_LIMITS:
        return NOTHING
    return next(EFFECTS[each] for each in type(error).__mro__ if each in EFFECTS)
