"""Which of several errors a client hears of."""

from __future__ import annotations

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.gateway.telling import most_useful


def test_what_the_client_can_mend_is_told_before_anything_else() -> None:
    rejected = errors.Rejected("field x", status=422)

    assert most_useful([rejected, errors.RateLimited("slow"), errors.Unreachable("gone")]) is rejected


def test_when_to_come_back_is_told_before_a_failure_and_a_failure_before_a_bad_key() -> None:
    limited, failing, revoked = errors.RateLimited("slow"), errors.Failing("x"), errors.Revoked("x")

    assert most_useful([failing, limited, revoked]) is limited
    assert most_useful([failing, revoked]) is failing
    assert most_useful([revoked, errors.Busy("x")]) is revoked


def test_of_equals_the_last_is_told() -> None:
    first, last = errors.Failing("x"), errors.ConnectionLost("y")

    assert most_useful([first, last]) is last


def test_the_wait_is_that_of_the_account_that_is_free_soonest() -> None:
    told = most_useful([errors.RateLimited("a", retry_after_s=60), errors.RateLimited("b", retry_after_s=7)])

    assert told.retry_after_s == 7
    assert most_useful([errors.Rejected("a"), errors.RateLimited("b", retry_after_s=7)]).retry_after_s is None


def test_a_model_that_is_gone_is_told_only_when_nothing_else_was_wrong() -> None:
    gone, busy = errors.UnknownModel("gone"), errors.Busy("busy")

    assert most_useful([busy, gone]) is busy
    assert most_useful([errors.Rejected("nothing there", status=404), busy]) is busy
    assert most_useful([gone]) is gone


def test_what_is_outranked_is_told_when_there_is_nothing_else() -> None:
    limited, failing = errors.RateLimited("slow"), errors.Failing("x")

    assert most_useful([failing, limited], outranked=[limited]) is failing
    assert most_useful([limited], outranked=[limited]) is limited
