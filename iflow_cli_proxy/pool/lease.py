"""What the pool answers to a wish: a lease on an account, or why there is none. Values."""

from __future__ import annotations

import msgspec

from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.breaker import Breaker
from iflow_cli_proxy.pool.rest import RestReason
from iflow_cli_proxy.pool.standing import Reason, Standing


class Lease(msgspec.Struct, frozen=True, eq=False):
    """The right to use an account for one attempt; give it back exactly once."""

    account: Account
    standing: Standing
    host: Breaker
    """Of the address it goes to: the account may have another one by the time it comes back."""
    model: str = ""
    is_trial: bool = False
    """It decides whether others may follow."""
    ticket: int = 0
    """No two leases of a pool have the same."""
    taken_at: float = 0.0
    tokens: int = 0
    """As estimated when it was taken."""


class Closed(msgspec.Struct, frozen=True):
    """No account can be leased now."""

    until: float
    """The earliest moment at which asking again may help; `inf` when only a lease that comes back can tell, or nobody.

    With `busy` and `trial` it is worth asking earlier, whenever a lease has come back.
    """
    reason: Reason
    detail: str = ""
    """For people; of the account that is free soonest."""
    rest: RestReason | None = None
    """Why that one rests, where it does."""
    paced: Account | None = None
    """That one, where nothing is the matter but that its minute has too little left for this request."""
