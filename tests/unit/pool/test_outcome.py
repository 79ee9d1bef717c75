"""Which error changes what."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import Blame, GatewayError, every_error
from iflow_cli_proxy.pool.outcome import NOTHING, Effect, effect_of
from iflow_cli_proxy.pool.rest import RestReason


def made(kind: type[GatewayError]) -> GatewayError:
    error = kind.__new__(kind)
    GatewayError.__init__(error, "no")
    return error


def effect(kind: type[GatewayError]) -> Effect:
    return effect_of(made(kind))


@pytest.mark.parametrize("kind", [*every_error()], ids=lambda kind: kind.__name__)
def test_every_error_has_an_effect_and_those_of_clients_and_ours_have_none(kind: type[GatewayError]) -> None:
    found = effect(kind)
    if made(kind).blame in (Blame.CLIENT, Blame.GATEWAY):
        assert (found.rest, found.is_fault) == (None, False)


def test_nothing_follows_from_no_error() -> None:
    assert effect_of(None) == NOTHING


def test_r3_a_rate_limit_is_a_rest_and_no_fault() -> None:
    for kind in (errors.RateLimited, errors.QuotaExhausted):
        assert effect(kind).rest is not None
        assert not effect(kind).is_fault


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(errors.RateLimited, RestReason.RATE), (errors.QuotaExhausted, RestReason.QUOTA),
     (errors.Revoked, RestReason.FORBIDDEN), (errors.Blocked, RestReason.BLOCKED)],
)  # fmt: skip
def test_each_refusal_has_its_own_state(kind: type[GatewayError], reason: RestReason) -> None:
    assert effect(kind).rest is reason


@pytest.mark.parametrize("kind", [errors.Unreachable, errors.ConnectTimedOut, errors.TlsFailed, errors.ConnectionLost])
def test_r3_a_connection_that_fails_counts_against_the_host_and_not_the_account(kind: type[GatewayError]) -> None:
    assert (effect(kind).is_fault, effect(kind).host) == (False, "fails")


@pytest.mark.parametrize(
    "kind", [errors.Overloaded, errors.Failing, errors.Malformed, errors.EmptyAnswer, errors.CutOff]
)
def test_r3_a_bad_answer_counts_against_the_account_and_shows_that_the_host_lives(kind: type[GatewayError]) -> None:
    assert (effect(kind).is_fault, effect(kind).host) == (True, "lives")


def test_r3_waiting_in_vain_says_nothing_about_the_host() -> None:
    found = effect_of(errors.TimedOut("first_byte", 120.0))
    assert (found.is_fault, found.host) == (True, "nothing")


@pytest.mark.parametrize("kind", [errors.Expired, errors.LoginRequired, errors.CredentialError])
def test_a_credential_that_ran_out_rests_nothing(kind: type[GatewayError]) -> None:
    assert effect(kind) == NOTHING


def test_a_limit_that_the_client_chose_says_nothing_about_the_upstream() -> None:
    assert effect_of(errors.TimedOut("x-request-timeout", 1.0)) == NOTHING
    assert effect_of(errors.TimedOut("first_byte", 120.0)).is_fault


@pytest.mark.parametrize("limit", ["connect", "first_byte", "idle", "content", "total", "json_total"])
def test_r6_every_limit_of_ours_that_is_reached_counts_and_one_that_a_client_chose_does_not(limit: str) -> None:
    assert effect_of(errors.TimedOut(limit, 600)).is_fault
    assert effect_of(errors.TimedOut("x-request-timeout", 1)) == NOTHING
