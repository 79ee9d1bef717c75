"""Rows F33 to F38 and rule R1: what an upstream refuses, when it is asked again, and how often in a storm."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from email.utils import formatdate
from itertools import product, repeat
from string import ascii_lowercase
from time import time

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.faults import CANARY, GOOD, GOOD_STREAM, Facing, facing
from tests.support.raw_upstream import Connection, Script, Step, answer, hang, head, sleep

HTML = b"<html><head><title>503</title></head><body>upstream 10.0.0.7:8443 /srv/app.py</body></html>"
STREAM_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


def refusal(status: int, message: str = "no", body: bytes | None = None, **headers: str) -> bytes:
    words = f'{{"error":{{"message":"{message}","type":"x","param":null,"code":null}}}}'.encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(words if body is None else body, status, named)


@STREAM_OR_NOT
async def test_f33_retry_after_in_seconds_is_passed_on(kind: str, stream: bool) -> None:
    async with facing(kind, [refusal(429, "slow down", retry_after="7")]) as it:
        heard = await it.expect_refused(429, "rate_limit_exceeded", attempts=1, stream=stream)
        assert it.hits == 1
    assert heard.headers["retry-after"] == "7"
    assert heard.took_s < 0.5


async def test_f33_retry_after_as_a_date_is_passed_on_in_seconds(kind: str) -> None:
    soon = formatdate(time() + 30, usegmt=True)
    async with facing(kind, [refusal(429, retry_after=soon)]) as it:
        heard = await it.expect_refused(429, "rate_limit_exceeded", attempts=1)
    assert 28 <= int(heard.headers["retry-after"]) <= 31


async def test_f33_a_wait_of_days_is_cut_to_an_hour(kind: str) -> None:
    async with facing(kind, [refusal(429, retry_after="999999")]) as it:
        heard = await it.expect_refused(429, "rate_limit_exceeded")
    assert heard.headers["retry-after"] == "3600"


async def test_f33_a_short_wait_is_waited_out(kind: str) -> None:
    async with facing(kind, [refusal(429, retry_after_ms="150")], [GOOD]) as it:
        heard = await it.expect_answered(attempts=2)
        assert it.hits == 2
    assert heard.took_s > 0.15


async def test_f33_a_limit_without_a_time_rests_the_account_and_says_until_when(kind: str) -> None:
    async with facing(kind, [refusal(429)], [GOOD]) as it:
        heard = await it.expect_refused(429, "rate_limit_exceeded", attempts=1)
        assert it.hits == 1
    assert heard.headers["retry-after"] == "3"  # two seconds, and up to a tenth more


async def test_f33_a_limit_that_stays_is_told_after_one_more_try(kind: str) -> None:
    async with facing(kind, [refusal(429)], resilience="cool_down_s = 0") as it:
        await it.expect_refused(429, "rate_limit_exceeded", attempts=2)
        assert it.hits == 2


async def test_f61_an_account_that_rests_is_not_asked(kind: str) -> None:
    async with facing(kind, [refusal(429, retry_after="60")], [GOOD]) as it:
        for _ in range(3):
            heard = await it.expect_refused(429, "rate_limit_exceeded")
            assert 55 < int(heard.headers["retry-after"]) <= 66
            assert heard.took_s < 0.5
        await it.expect_answered(model="another")
        assert it.hits == 2


async def test_f33_a_used_up_quota_is_not_asked_again(kind: str) -> None:
    async with facing(kind, [refusal(429, "You exceeded your current quota")]) as it:
        await it.expect_refused(429, "insufficient_quota", attempts=1)


@STREAM_OR_NOT
async def test_f34_a_limit_as_a_web_page_is_a_limit(kind: str, stream: bool) -> None:
    page = refusal(429, body=HTML, Content_Type="text/html", Retry_After="9")
    async with facing(kind, [page]) as it:
        heard = await it.expect_refused(429, "rate_limit_exceeded", stream=stream)
    assert b"10.0.0.7" not in heard.body
    assert b"<" not in heard.body
    assert heard.headers["retry-after"] == "9"


@pytest.mark.parametrize("body", [None, HTML, b"", b'{"error":'], ids=["json", "html", "empty", "cut"])
@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (500, 502, "upstream_failing"),
        (502, 502, "upstream_failing"),
        (504, 502, "upstream_failing"),
        (503, 503, "upstream_overloaded"),
        (529, 503, "upstream_overloaded"),
    ],
)
async def test_f35_a_failing_upstream_is_asked_once_more(
    kind: str, status: int, told: int, code: str, body: bytes | None
) -> None:
    async with facing(kind, [refusal(status, body=body)]) as it:
        heard = await it.expect_refused(told, code, attempts=2)
        assert it.hits == 2
    assert b"10.0.0.7" not in heard.body
    async with facing(kind, [refusal(status, body=body)], [GOOD_STREAM]) as it:
        await it.expect_answered(attempts=2, stream=True)


async def test_f35_a_long_wait_is_told_and_not_slept(kind: str) -> None:
    async with facing(kind, [refusal(503, retry_after="20")]) as it:
        heard = await it.expect_refused(503, "upstream_overloaded", attempts=1)
    assert heard.took_s < 0.5
    assert heard.headers["retry-after"] == "20"


async def test_f35_only_statuses_on_the_list_are_asked_again(kind: str) -> None:
    async with facing(kind, [refusal(500)], resilience="retry_status_codes = [429, 503]") as it:
        await it.expect_refused(502, "upstream_failing", attempts=1)
    async with facing(kind, [refusal(529)], resilience="retry_status_codes = [429, 503]") as it:
        await it.expect_refused(503, "upstream_overloaded", attempts=2)


async def test_f35_a_caller_may_forbid_what_could_be_done_twice(kind: str) -> None:
    async with facing(kind, [refusal(500)], [refusal(503)], [GOOD]) as it:
        await it.expect_refused(502, "upstream_failing", attempts=1, headers={"x-no-retry": "1"})
        # An explicit refusal before any work is safe to repeat.
        await it.expect_answered(attempts=2, headers={"x-no-retry": "1"})


async def test_f35_an_error_whose_body_never_ends_is_known_by_its_status(kind: str) -> None:
    stalled: list[Step] = [head(429, {"Content-Length": "500", "Retry-After": "60"}), b'{"err', hang]
    async with facing(kind, stalled, more="first_byte_timeout_s = 0.3") as it:
        await it.expect_refused(429, "rate_limit_exceeded", attempts=1)
        assert await it.has_hung_up()


@pytest.mark.parametrize("cut", [b"", b'{"error":{"message":"no'])
async def test_f35_an_error_whose_body_is_cut_is_known_by_its_status(kind: str, cut: bytes) -> None:
    async def end(connection: Connection) -> None:
        connection.transport.abort()

    script: Script = [head(400, {"Content-Length": "500"}), cut, sleep(0.02), end]
    async with facing(kind, script) as it:
        await it.expect_refused(400, None, attempts=1)


@pytest.mark.parametrize("status", [400, 404, 413, 422])
@STREAM_OR_NOT
async def test_f36_a_request_that_was_refused_is_never_repeated(kind: str, status: int, stream: bool) -> None:
    said = f"field 7 is wrong, see http://10.0.0.7:8080/x in /srv/app.py, key {CANARY}"
    async with facing(kind, [refusal(status, said)], [GOOD]) as it:
        heard = await it.expect_refused(status, None, attempts=1, stream=stream)
        assert it.hits == 1
        standing = it.gateway.services.pool.standings()[0]
        assert (standing.failures_in_a_row, standing.last_error) == (0, "")
    assert "field 7 is wrong" in heard.error["message"]
    assert "10.0.0.7" not in heard.error["message"]


async def test_f36_a_prompt_that_is_too_long_is_not_sent_twice(kind: str) -> None:
    async with facing(kind, [refusal(400, "maximum context length is 8192 tokens")]) as it:
        await it.expect_refused(400, "context_length_exceeded", attempts=1)
        assert it.hits == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, "Invalid API key"), (401, "token expired"), (403, "account suspended"), (403, "no access")],
)
@STREAM_OR_NOT
async def test_f38_a_bad_key_upstream_is_not_the_clients_fault(
    kind: str, status: int, message: str, stream: bool
) -> None:
    async with facing(kind, [refusal(status, f"{message} {CANARY}")]) as it:
        await it.expect_refused(502, "upstream_auth", attempts=1, stream=stream)
        assert it.hits == 1
        assert it.gateway.services.pool.standings()[0].failures_in_a_row == 1


async def limited(connection: Connection) -> None:
    """Refuses one model for a minute and answers any other."""
    model = jsonx.decode(connection.requests[-1].body)["model"]
    await connection.send(refusal(429, retry_after="60") if model == "m" else GOOD)


async def test_f61_where_all_accounts_of_a_model_rest_its_fallback_is_asked_at_once(kind: str) -> None:
    async with facing(kind, [limited], resilience='[routing.fallbacks]\nm = ["other"]') as it:
        pool = it.gateway.services.pool
        account = pool.standings()[0].account
        pool.replace([replace(account, id=id) for id in ("a", "b")])
        await it.ask()
        for _ in range(3):
            await it.expect_answered(attempts=1)
        assert it.hits == 3 + 3, "both accounts and the fallback, then the fallback alone"


@pytest.mark.parametrize("message", ["account suspended", "no access"])
async def test_f38_an_account_that_was_forbidden_is_not_asked_again_and_the_client_hears_the_same(
    kind: str, message: str
) -> None:
    async with facing(kind, [refusal(403, message)]) as it:
        for _ in range(3):
            await it.expect_refused(502, "upstream_auth")
        assert it.hits == 1


IN_STORMS = pytest.mark.parametrize(
    "script", [[refusal(503)], [refusal(500)], [refusal(429)]], ids=["503", "500", "429"]
)


PATIENT = "connect_timeout_s = 10\nfirst_byte_timeout_s = 10"
"""A storm is about what is asked of the upstream; a machine that stands still for a second changes nothing in that."""


async def storm(it: Facing, models: Iterator[str]) -> None:
    """150 requests, 15 at a time, and not one of them succeeds."""
    for _ in range(10):
        heard = await asyncio.gather(*(it.ask(model=next(models)) for _ in range(15)))
        assert {each.status for each in heard} <= {429, 502, 503}


@IN_STORMS
async def test_f35_in_a_storm_the_upstream_gets_a_fifth_more_at_most(kind: str, script: Sequence[bytes]) -> None:
    # Each asks another model, so that no rest and no breaker holds anybody back but the budget for retries.
    models = map("".join, product(ascii_lowercase, repeat=2))
    async with facing(kind, script, more=PATIENT, resilience="cool_down_s = 0") as it:
        await storm(it, models)
        assert 150 < it.hits <= 1.2 * 150 + 1


@pytest.mark.parametrize("status", [500, 503])
async def test_f62_in_a_storm_the_only_account_is_asked_by_one_at_a_time(kind: str, status: int) -> None:
    under_way: list[int] = []
    now = 0

    async def count(connection: Connection) -> None:
        nonlocal now
        under_way.append(now := now + 1)
        await asyncio.sleep(0.002)
        now -= 1

    async with facing(kind, [count, refusal(status)], more=PATIENT) as it:
        await storm(it, repeat("m"))
        assert it.hits <= 1.2 * 150 + 1
    assert max(under_way) > 1
    assert set(under_way[40:]) == {1}


async def test_f61_in_a_storm_of_limits_the_upstream_is_left_alone(kind: str) -> None:
    async with facing(kind, [refusal(429)], more=PATIENT) as it:
        await storm(it, repeat("m"))
        assert it.hits == 15


async def test_r1_never_more_attempts_than_configured(kind: str) -> None:
    async with facing(kind, [refusal(503)], resilience="retry_attempts = 9\nmax_attempts = 2") as it:
        await it.expect_refused(503, "upstream_overloaded", attempts=2)
        assert it.hits == 2


async def test_r1_two_ambiguous_failures_are_one_too_many(kind: str) -> None:
    script: list[list[Step]] = [[refusal(500)], [refusal(500)], [GOOD]]
    async with facing(kind, *script, resilience="retry_attempts = 5") as it:
        await it.expect_refused(502, "upstream_failing", attempts=2)
        assert it.hits == 2


async def test_r1_no_attempt_begins_that_the_deadline_leaves_no_time_for(kind: str) -> None:
    slow = [sleep(0.2), refusal(503, retry_after="1")]
    async with facing(kind, slow, [GOOD]) as it:
        heard = await it.expect_refused(503, "upstream_overloaded", attempts=1, headers={"x-request-timeout": "1.1"})
    assert heard.took_s < 0.6


async def test_r6_a_client_may_shorten_the_time_and_not_lengthen_it(kind: str) -> None:
    async with facing(kind, [hang], more="json_total_timeout_s = 0.6\nfirst_byte_timeout_s = 9") as it:
        short = await it.expect_refused(504, "upstream_timeout", attempts=1, headers={"x-request-timeout": "0.2"})
        long = await it.expect_refused(504, "upstream_timeout", attempts=1, headers={"x-request-timeout": "900"})
        odd = await it.expect_refused(504, "upstream_timeout", attempts=1, headers={"x-request-timeout": "nan"})
    assert "x-request-timeout limit of 0.2 s" in short.error["message"]
    assert "upstream.json_total_timeout_s" in long.error["message"]
    assert 0.15 < short.took_s < 0.5
    assert 0.55 < long.took_s < 1.3
    assert 0.55 < odd.took_s < 1.3
