"""One flow by itself; the whole way is in tests/integration/test_admin_sign_in_flows.py."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest, LoginRequired
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.server.admin.flows import Flow, Flows
from iflow_cli_proxy.signin.signed_in import SignedIn
from tests.support.fake_clock import FakeClock
from tests.support.saved_accounts import saved_account
from tests.support.shell import shell_state


def flow(**changes: str) -> Flow:
    return Flow(id="f", provider="iflow", label="", ends_at=600.0, **{"state": "ab" * 32, **changes})


async def nobody(provider: str, signed_in: SignedIn, label: str) -> SavedAccount:
    return saved_account()


async def test_a_code_counts_once_however_it_comes() -> None:
    one = flow()
    one.paste(f"http://localhost/cb?code=first-code&state={'ab' * 32}")
    with pytest.raises(LoginRequired):
        one.bring("second-code")

    assert await one.brought == "first-code"


async def test_what_is_no_code_can_be_pasted_again() -> None:
    one = flow()
    for text in ("", "two words", "http://localhost/cb?code=x&state=other"):
        with pytest.raises(InvalidRequest):
            one.paste(text)
    one.paste("good-code-1234")

    assert await one.brought == "good-code-1234"


async def test_one_that_is_given_up_fails_whoever_waits() -> None:
    one = flow()
    one.give_up()
    one.give_up()

    with pytest.raises(LoginRequired) as raised:
        await one.brought
    assert raised.value.code == "given_up"


async def test_a_flow_is_found_by_its_whole_state_and_forgotten_after_a_while() -> None:
    state = shell_state()
    flows = Flows(state, nobody)
    one = flows._known["f"] = flow()

    assert flows.of_state("ab" * 32) is one
    assert flows.of_state("ab" * 31) is None
    assert flows.of_state("") is None
    flows._end(one)
    assert flows.of_state("ab" * 32) is None
    assert flows.find("f") is one
    assert isinstance(state.clock, FakeClock)
    state.clock.advance(601)
    assert flows.find("f") is None
