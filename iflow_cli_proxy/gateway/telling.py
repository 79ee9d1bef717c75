"""Which of several errors is told: the most useful one, and when it is worth asking again (RELIABILITY R1).

Pure. Refuses to know who was asked, and why another attempt did not follow.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from iflow_cli_proxy.core.errors import (
    Blame,
    CapacityError,
    CredentialError,
    GatewayError,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    Rejected,
    UnknownModel,
)

_NOT_FOUND: Final = 404


def most_useful(
    failures: Collection[GatewayError],
    *,
    of_fallbacks: Collection[GatewayError] = (),
    outranked: Collection[GatewayError] = (),
) -> GatewayError:
    """The one to tell of several: what the client can mend, then when to come back, then what an upstream said last.

    `failures` are in the order they happened, one for each account and route; the wait is that of the account free
    soonest. What one of `of_fallbacks` has against the request is told last: the client did not ask for that model. So
    are those that are `outranked`.
    """
    strangers = {id(error) for error in of_fallbacks}
    last = {id(error) for error in outranked}

    def rank(error: GatewayError) -> int:
        return -1 if id(error) in last else _usefulness(error, is_asked=id(error) not in strangers)

    best = max(reversed(list(failures)), key=rank)
    waits = [each.retry_after_s for each in failures if each.retry_after_s is not None]
    if best.retry_after_s is not None:
        best.retry_after_s = min(waits)
    return best


def _usefulness(error: GatewayError, *, is_asked: bool) -> int:
    if error.blame is Blame.CLIENT:
        return 5 if is_asked and not is_unknown(error) else 0
    if isinstance(error, RateLimited | QuotaExhausted | Overloaded):
        return 4
    if isinstance(error, CredentialError):
        return 2
    return 1 if isinstance(error, CapacityError) else 3


def is_unknown(error: GatewayError) -> bool:
    """A model that is not there although it is routed to is no fault of the client while anything else is wrong."""
    return isinstance(error, UnknownModel) or (isinstance(error, Rejected) and error.status == _NOT_FOUND)
