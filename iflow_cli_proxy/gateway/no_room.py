"""What a request is told that no account can serve now, by what keeps the one out that is back soonest."""

from __future__ import annotations

from math import inf

from iflow_cli_proxy.core.errors import (
    GatewayError,
    NoAccountAvailable,
    QuotaExhausted,
    RateLimited,
    Revoked,
    Unreachable,
)
from iflow_cli_proxy.pool.lease import Closed
from iflow_cli_proxy.pool.rest import RestReason


def no_room(provider: str, found: Closed, wait_s: float) -> GatewayError:
    """`wait_s` is the time until asking again may help, `inf` when nobody knows."""
    if found.reason in ("none", "tried"):
        return NoAccountAvailable(
            f"There is no account for `{provider}`.",
            hint=f"`iflow2api login {provider}` adds one, `iflow2api token list` shows those that are left out",
        )
    retry_after_s = wait_s if wait_s < inf else None
    if found.reason == "host":
        return Unreachable(
            f"`{provider}` could not be reached just now; it is tried again in a moment.",
            detail=found.detail,
            hint="`iflow2api doctor --online` looks at the upstream",
            retry_after_s=retry_after_s,
        )
    if found.rest is RestReason.QUOTA:
        return QuotaExhausted(
            f"Every account of `{provider}` has used up its quota.",
            detail=found.detail,
            retry_after_s=retry_after_s,
            code="insufficient_quota",
        )
    if found.reason == "paced" or found.rest is RestReason.RATE:
        return RateLimited(
            f"Every account of `{provider}` is at its limit.", detail=found.detail, retry_after_s=retry_after_s
        )
    if found.rest in (RestReason.FORBIDDEN, RestReason.BLOCKED):
        return Revoked(
            f"Every account of `{provider}` is refused what was asked for.",
            detail=found.detail,
            hint="`iflow2api token list` shows why",
            retry_after_s=retry_after_s,
        )
    return NoAccountAvailable(
        f"Every account of `{provider}` rests after failures.",
        detail=found.detail,
        hint="`iflow2api token list` and the log show why",
        retry_after_s=retry_after_s,
    )
