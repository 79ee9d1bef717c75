"""Who may do what is about every account."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from iflow_cli_proxy.core.errors import Forbidden
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.pool.client_key import ANYONE, Budget, Caller, ClientKey
from iflow_cli_proxy.server.keys import EXCHANGE
from iflow_cli_proxy.server.privilege import refuse_limited_callers

KEY = ClientKey(name="team", digest=b"d", rpm=1, budget=Budget(amount=1.0))


def ask(caller: Caller) -> None:
    request = make_mocked_request("POST", "/auth/poll")
    request[EXCHANGE] = Exchange(request_id="r", protocol="", started_at=0.0, caller=caller)
    refuse_limited_callers(request)


@pytest.mark.parametrize("caller", [ANYONE, Caller(name="team", key=KEY)])
def test_whoever_may_use_every_account_and_model_may(caller: Caller) -> None:
    ask(caller)


@pytest.mark.parametrize(
    "caller",
    [
        Caller(account_id="0b9f3c1e-8f2d-4b7a-9c3d-1e2f3a4b5c6d"),
        *(
            Caller(key=ClientKey(name="team", digest=b"d", **limit))  # type: ignore[arg-type]  # one field of several
            for limit in ({"models": ("m",)}, {"accounts": ("up/*",)}, {"pool": "mine"})
        ),
    ],
)
def test_a_caller_with_narrower_limits_may_not(caller: Caller) -> None:
    with pytest.raises(Forbidden):
        ask(caller)
