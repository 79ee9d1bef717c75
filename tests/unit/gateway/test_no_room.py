"""What is said when no account can serve."""

from __future__ import annotations

from math import inf

import pytest

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.gateway.no_room import no_room
from iflow_cli_proxy.pool.lease import Closed
from iflow_cli_proxy.pool.rest import RestReason


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (Closed(inf, "none"), errors.NoAccountAvailable),
        (Closed(inf, "tried"), errors.NoAccountAvailable),
        (Closed(9.0, "host"), errors.Unreachable),
        (Closed(9.0, "paced"), errors.RateLimited),
        (Closed(9.0, "resting", rest=RestReason.RATE), errors.RateLimited),
        (Closed(9.0, "resting", rest=RestReason.QUOTA), errors.QuotaExhausted),
        (Closed(9.0, "resting", rest=RestReason.FORBIDDEN), errors.Revoked),
        (Closed(9.0, "resting", rest=RestReason.BLOCKED), errors.Revoked),
        (Closed(9.0, "resting", rest=RestReason.FAILING), errors.NoAccountAvailable),
        (Closed(9.0, "breaker"), errors.NoAccountAvailable),
        (Closed(inf, "trial"), errors.NoAccountAvailable),
    ],
)
def test_f61_each_reason_is_told_as_what_it_is(found: Closed, kind: type[GatewayError]) -> None:
    error = no_room("up", found, found.until)

    assert type(error) is kind
    assert "`up`" in error.message
    assert error.retry_after_s == (found.until if found.until < inf else None)
