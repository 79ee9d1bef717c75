"""Route after route, account after account: which attempt follows which, and when none may."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

import pytest

from iflow_cli_proxy.core.errors import (
    Busy,
    ConnectionLost,
    ContextOverflow,
    Failing,
    GatewayError,
    NoAccountAvailable,
    Overloaded,
    RateLimited,
    Rejected,
    Revoked,
    Unreachable,
)
from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.gateway.attempt import AnswerRules
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.retry import RetryRules
from iflow_cli_proxy.gateway.rewording import COMPRESSED_HEADER
from iflow_cli_proxy.gateway.vision import Description, VisionBridge
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.client_key import Caller
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import Lease
from iflow_cli_proxy.pool.rest import Rest, RestReason
from iflow_cli_proxy.pool.rules import PoolRules
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.routing.catalog import Model
from tests.support.exchanges import CODEC, PROVIDER, Bench, bench, inbound
from tests.support.fake_transport import Answer, FakeReply, FakeTransport
from tests.support.faults import ROLE, piece, whole
from tests.support.images import data_url, image, text
from tests.support.virtual_time import run_in_virtual_time

GOOD: Final = FakeReply(whole())
OVERFLOW: Final = FakeReply(
    b'{"error":{"message":"maximum context length is 8","code":"context_length_exceeded"}}', status=400
)
TO_ALT: Final[dict[str, tuple[str, ...]]] = {"m": ("alt/n",)}


def refusal(status: int, **headers: str) -> FakeReply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return FakeReply(b'{"error":{"message":"no"}}', status=status, headers=named)


async def failure(it: Bench, **options: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await it.body(**options)
    assert it.in_flight == 0
    return caught.value


def sent(it: Bench) -> list[bytes]:
    return [bytes(request.body) for request in it.transport.requests]


# --- other routes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [refusal(404), refusal(503), refusal(429), refusal(429, retry_after="60"), refusal(401), Unreachable("gone")],
    ids=["no such model", "overloaded", "too fast", "rests", "bad key", "unreachable"],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_fallback_answers_when_the_first_route_cannot(first: Answer, stream: bool) -> None:
    it = bench(first, beside={"alt": FakeTransport(GOOD)}, fallbacks=TO_ALT)

    assert await it.body(stream=stream)
    assert it.routes == ["up/m", "alt/n"]
    assert it.endings[-1] == ("of alt", "")


@pytest.mark.parametrize("status", [400, 422])
async def test_f36_what_is_wrong_with_the_request_is_wrong_everywhere(status: int) -> None:
    it = bench(refusal(status), beside={"alt": FakeTransport(GOOD)}, fallbacks=TO_ALT)

    assert isinstance(await failure(it), Rejected)
    assert it.routes == ["up/m"]


async def test_a_host_that_cannot_be_reached_is_left_with_all_its_models() -> None:
    alt = FakeTransport(GOOD)
    it = bench(Unreachable("gone"), beside={"alt": alt}, fallbacks={"m": ("up/other", "alt/n")})

    assert await it.body() == whole()
    assert it.routes == ["up/m", "alt/n"]


async def test_another_account_goes_before_another_route_but_the_last_attempt_is_the_other_routes() -> None:
    it = bench(refusal(503), count=9, beside={"alt": FakeTransport(GOOD)}, fallbacks=TO_ALT)

    assert await it.body() == whole()
    assert it.routes == ["up/m", "up/m", "alt/n"]


async def test_a_provider_without_an_account_makes_room_for_the_next() -> None:
    it = bench(GOOD, count=0, beside={"alt": FakeTransport(GOOD)}, fallbacks=TO_ALT, saved_retries=0)

    for _ in range(20):
        assert await it.body() == whole()
        assert it.routes == ["alt/n"], "nobody was asked in vain, so the budget is not either"
    assert it.transport.requests == []


async def test_a_queue_that_is_full_makes_room_for_the_next() -> None:
    it = bench(GOOD, beside={"alt": FakeTransport(GOOD)}, fallbacks=TO_ALT)
    it.turnstile.places = 0
    lease = it.pool.take(Wish(provider=PROVIDER), asyncio.get_running_loop().time())
    assert isinstance(lease, Lease)

    assert await it.body() == whole()
    assert it.routes == ["alt/n"]
    it.turnstile.leave(lease, Outcome())


async def test_an_account_that_one_model_overworked_serves_the_next_model() -> None:
    it = bench(refusal(503), GOOD, fallbacks={"m": ("up/n",)})

    assert await it.body() == whole()
    assert it.routes == ["up/m", "up/n"]


async def test_what_was_asked_for_is_told_and_not_what_a_fallback_lacks() -> None:
    it = bench(refusal(503), beside={"alt": FakeTransport(refusal(404))}, fallbacks=TO_ALT)

    assert isinstance(await failure(it), Overloaded)


# --- prompts that are too long ------------------------------------------------------------------------------------

KIMI: Final = (Model(id="kimi-8k", context_tokens=8_000), Model(id="kimi-128k", context_tokens=128_000))
ROUNDS: Final = [
    {"role": role, "content": f"{role} {number}"} for number in range(6) for role in ("user", "assistant")
] + [{"role": "user", "content": "the last question"}]


async def test_a_prompt_that_is_too_long_goes_to_a_larger_window() -> None:
    it = bench(OVERFLOW, GOOD, models=KIMI)

    assert await it.body(model="kimi-8k") == whole()
    assert it.routes == ["up/kimi-8k", "up/kimi-128k"]


async def test_a_fallback_with_no_larger_window_is_not_asked() -> None:
    it = bench(OVERFLOW, GOOD, models=KIMI[:1], fallbacks={"kimi-8k": ("up/other",)})

    assert isinstance(await failure(it, model="kimi-8k"), ContextOverflow)
    assert it.routes == ["up/kimi-8k"]


async def test_without_a_larger_window_it_is_shortened_once_where_the_settings_allow_it() -> None:
    it = bench(OVERFLOW, GOOD, answer_rules=AnswerRules(keeps_rounds=2))
    answer = await it.answer(messages=ROUNDS)

    assert it.routes == ["up/m", "up/m"]
    first, second = sent(it)
    assert b"user 0" in first
    assert b"user 0" not in second
    assert b"the last question" in second
    assert answer.headers[COMPRESSED_HEADER]


async def test_one_that_is_too_long_even_so_is_told() -> None:
    it = bench(OVERFLOW, answer_rules=AnswerRules(keeps_rounds=2))

    assert isinstance(await failure(it, messages=ROUNDS), ContextOverflow)
    assert len(it.routes) == 2


async def test_without_leave_nothing_is_shortened() -> None:
    it = bench(OVERFLOW, GOOD)

    assert isinstance(await failure(it, messages=ROUNDS), ContextOverflow)
    assert len(it.routes) == 1


async def test_a_larger_window_goes_before_shortening() -> None:
    it = bench(OVERFLOW, GOOD, models=KIMI, answer_rules=AnswerRules(keeps_rounds=2))
    await it.body(model="kimi-8k", messages=ROUNDS)

    assert it.routes == ["up/kimi-8k", "up/kimi-128k"]
    assert b"user 0" in sent(it)[1]


# --- where it ends ------------------------------------------------------------------------------------------------


async def test_r1_there_are_three_attempts_at_most_however_many_routes() -> None:
    chain = {"m": tuple(f"alt/n{number}" for number in range(9))}
    alt = FakeTransport(refusal(503))
    it = bench(refusal(503), count=5, beside={"alt": alt}, fallbacks=chain)

    assert isinstance(await failure(it), Overloaded)
    assert len(it.routes) == len(it.transport.requests) + len(alt.requests) == 3


async def test_r1_after_the_commit_point_no_route_follows() -> None:
    cut = FakeReply(f"data: {ROLE}\n\ndata: {piece('a')}\n\n".encode(), ConnectionLost("cut"))
    alt = FakeTransport(GOOD)
    it = bench(cut, count=3, beside={"alt": alt}, fallbacks=TO_ALT)

    assert b"error" in await it.body(stream=True)
    assert it.routes == ["up/m"]
    assert alt.requests == []


async def test_r1_before_the_commit_point_a_stream_that_breaks_off_has_a_successor() -> None:
    it = bench(FakeReply(f"data: {ROLE}\n\n".encode(), ConnectionLost("cut")), GOOD, count=2)

    assert await it.body(stream=True)
    assert len(it.routes) == 2


async def test_r1_without_a_retry_left_in_the_budget_the_next_route_is_not_asked() -> None:
    it = bench(refusal(503), beside={"alt": FakeTransport(refusal(503))}, fallbacks=TO_ALT, saved_retries=0)
    attempts = 0
    for _ in range(20):
        await failure(it)
        attempts += len(it.routes)

    assert attempts <= 20 * 1.2 + 1, "and one that is lent"


async def test_r1_a_model_that_is_not_there_costs_no_budget() -> None:
    it = bench(refusal(404), beside={"alt": FakeTransport(GOOD)}, fallbacks=TO_ALT, saved_retries=0)
    for _ in range(20):
        assert await it.body() == whole()


# --- what is told -------------------------------------------------------------------------------------------------


async def test_f33_the_wait_told_is_that_of_whoever_is_free_soonest() -> None:
    alt = FakeTransport(refusal(429, retry_after="20"))
    it = bench(
        refusal(429, retry_after="60"), refusal(429, retry_after="30"), count=2, beside={"alt": alt}, fallbacks=TO_ALT
    )
    error = await failure(it)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 20


async def test_f61_nobody_is_asked_while_all_rest_and_the_wait_is_told() -> None:
    it = bench(refusal(429, retry_after="60"), refusal(429, retry_after="30"), count=2)
    await failure(it)
    asked = len(it.transport.requests)
    error = await failure(it)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s is not None
    assert 25 < error.retry_after_s <= 33
    assert len(it.transport.requests) == asked


async def test_no_account_anywhere_is_told_as_that() -> None:
    it = bench(GOOD, count=0)

    assert isinstance(await failure(it), NoAccountAvailable)
    assert it.routes == []


# --- pictures -----------------------------------------------------------------------------------------------------

EYES: Final = (
    Model(id="blind", context_tokens=8_000, has_vision=False),
    Model(id="seer", context_tokens=8_000, has_vision=True),
    Model(id="unheard-of"),
)
PICTURE: Final = [{"role": "user", "content": [text("What is this?"), image(data_url())]}]


async def _describe(picture: Image, hint: str, asker: Exchange) -> Description:
    return Description(text="a red square")


@pytest.mark.parametrize(("model", "is_described"), [("blind", True), ("seer", False), ("unheard-of", False)])
async def test_only_a_model_that_sees_nothing_is_told_what_is_in_a_picture(model: str, is_described: bool) -> None:
    it = bench(GOOD, models=EYES, bridge=VisionBridge("up/seer", _describe))
    await it.body(model=model, messages=PICTURE)

    [body] = sent(it)
    assert (b"a red square" in body) is is_described
    assert (b"image_url" in body) is not is_described


async def test_a_fallback_that_sees_gets_the_picture_itself() -> None:
    it = bench(
        refusal(503), GOOD, models=EYES, fallbacks={"blind": ("seer",)}, bridge=VisionBridge("up/seer", _describe)
    )
    await it.body(model="blind", messages=PICTURE)

    first, second = sent(it)
    assert b"a red square" in first
    assert b"image_url" in second


async def test_a_picture_that_nobody_can_describe_is_told_and_no_account_was_held() -> None:
    async def busy(picture: Image, hint: str, asker: Exchange) -> Description:
        assert it.in_flight == 0
        raise Busy("Not now.")

    it = bench(GOOD, models=EYES, bridge=VisionBridge("up/seer", busy))

    assert isinstance(await failure(it, model="blind", messages=PICTURE), GatewayError)
    assert it.transport.requests == []


# --- newer credentials --------------------------------------------------------------------------------------------


class Renewing:
    """Has a newer bearer once, or never."""

    def __init__(self, *, helps: bool) -> None:
        self.helps = helps
        self.renewed: list[str] = []
        self.refused: list[str] = []

    async def renew(self, account: Account) -> Account | None:
        self.renewed.append(account.id)
        return account if self.helps else None

    def note_refused(self, account: Account, error: GatewayError) -> bool:
        self.refused.append(account.id)
        return False


async def test_f37_a_refused_bearer_is_renewed_and_the_same_account_tried_again() -> None:
    renewal = Renewing(helps=True)
    it = bench(refusal(401), GOOD, count=3, renewal=renewal)

    assert await it.body() == whole()
    assert len({account for account, _ in it.endings}) == 1
    assert (len(renewal.renewed), renewal.refused) == (1, [])


async def test_f38_one_that_cannot_be_renewed_is_noted_and_left() -> None:
    renewal = Renewing(helps=False)
    it = bench(refusal(401), GOOD, count=3, renewal=renewal)

    assert await it.body() == whole()
    assert len({account for account, _ in it.endings}) == 2
    assert renewal.refused == renewal.renewed


async def test_f38_an_account_is_not_blamed_for_a_fallback_that_needs_a_sign_in() -> None:
    renewal = Renewing(helps=False)
    it = bench(refusal(500), beside={"alt": FakeTransport(GOOD)}, fallbacks=TO_ALT, renewal=renewal)
    asleep = replace(it.gateway.upstreams["alt"], needs_login=True)
    it.gateway.upstreams["alt"] = asleep  # type: ignore[index]

    assert isinstance(await failure(it), Failing)
    assert it.routes == ["up/m"]
    assert (renewal.renewed, renewal.refused) == ([], []), "it was somebody else's fault"


async def test_f38_an_account_is_not_blamed_for_another_that_is_forbidden_what_was_asked_for() -> None:
    renewal = Renewing(helps=True)
    alt = FakeTransport(refusal(503))
    it = bench(refusal(500), beside={"alt": alt}, fallbacks=TO_ALT, renewal=renewal)
    turned_away = it.pool.take(Wish(provider="alt", model="n"), asyncio.get_running_loop().time())
    assert isinstance(turned_away, Lease)
    it.turnstile.leave(turned_away, Outcome(error=Revoked("not yours")))

    assert isinstance(await failure(it), Failing)
    assert (renewal.renewed, renewal.refused) == ([], [])


# --- the same account again ---------------------------------------------------------------------------------------

LOST: Final = ConnectionLost("reset")


def other_rests(it: Bench, for_s: float = 3000.0) -> None:
    now = asyncio.get_running_loop().time()
    it.pool.put_to_rest("a1", Rest(reason=RestReason.QUOTA, until=now + for_s, since=now))


@pytest.mark.parametrize("first", [refusal(503), LOST], ids=["F35 overloaded", "F2 reset"])
async def test_r1_an_account_is_asked_again_when_the_other_one_rests_for_long(first: Answer) -> None:
    it = bench(first, GOOD, count=2)
    other_rests(it)

    assert await it.body() == whole()
    assert [account for account, _ in it.endings] == ["label 0"] * 2


@pytest.mark.parametrize("first", [refusal(503), LOST], ids=["F35 overloaded", "F2 reset"])
async def test_r1_an_account_is_asked_again_when_the_caller_may_use_no_other(first: Answer) -> None:
    it = bench(first, GOOD, count=2)
    exchange = Exchange(
        request_id="r", protocol=CODEC.name, started_at=0.0, caller=Caller(name="k", account_id="a0")
    )  # fmt: skip
    await it.gateway.answer(inbound(), exchange)

    assert [attempt.account for attempt in exchange.attempts] == ["label 0"] * 2


@pytest.mark.parametrize("error", [refusal(503), LOST], ids=["F35 overloaded", "F8 reset"])
async def test_f8_what_an_upstream_said_is_told_and_not_the_long_rest_of_another_account(error: Answer) -> None:
    it = bench(error, count=2)
    other_rests(it)
    told = await failure(it)

    assert isinstance(told, Overloaded | ConnectionLost)
    assert told.retry_after_s is None
    assert len(it.endings) == 2


def test_r1_7_an_account_is_asked_again_rather_than_waiting_for_one_that_is_busy() -> None:
    async def scenario() -> None:
        it = bench(refusal(503), GOOD, count=2)
        held = it.pool.take(
            Wish(provider=PROVIDER, allowed=frozenset({"a1"})), asyncio.get_running_loop().time()
        )  # fmt: skip
        assert isinstance(held, Lease)
        began = asyncio.get_running_loop().time()

        assert await it.body() == whole()
        assert [account for account, _ in it.endings] == ["label 0"] * 2
        assert asyncio.get_running_loop().time() - began < 1.0
        it.turnstile.leave(held, Outcome())

    run_in_virtual_time(scenario())


def test_f38_one_that_is_busy_is_waited_for_when_the_first_may_not_be_asked_again() -> None:
    async def scenario() -> None:
        it = bench(refusal(401), GOOD, count=2, renewal=Renewing(helps=False))
        loop = asyncio.get_running_loop()
        held = it.pool.take(Wish(provider=PROVIDER, allowed=frozenset({"a1"})), loop.time())
        assert isinstance(held, Lease)
        loop.call_later(5.0, it.turnstile.leave, held, Outcome())

        assert await it.body() == whole()
        assert [account for account, _ in it.endings] == ["label 0", "label 1"]

    run_in_virtual_time(scenario())


# --- names, rests and queues --------------------------------------------------------------------------------------


@pytest.mark.parametrize("models", [(), (Model(id="M", thinking="switchable"),)], ids=["unlisted", "listed"])
async def test_a_rest_of_a_model_is_for_each_of_its_spellings(models: tuple[Model, ...]) -> None:
    it = bench(refusal(429, retry_after="60"), models=models)
    for name in ("m", "M", "m(high)", "M(Low)", "m(2000)"):
        assert isinstance(await failure(it, model=name), RateLimited)

    assert len(it.transport.requests) == 1


@pytest.mark.parametrize(
    ("longest_s", "asked_s", "told_s"), [(60.0, "1800", 60.0), (86_400.0, "18000", 18_000.0), (3600.0, "7", 7.0)]
)
async def test_f33_the_rest_is_told_as_it_is(longest_s: float, asked_s: str, told_s: float) -> None:
    it = bench(refusal(429, retry_after=asked_s))
    it.pool.rules = PoolRules(longest_rest_s=longest_s)
    error = await failure(it)
    [(_, rest)] = it.pool.rests(asyncio.get_running_loop().time())

    assert error.retry_after_s == pytest.approx(told_s, abs=0.1)
    assert told_s <= rest.until - rest.since <= told_s + 2.001


async def test_f33_a_refusal_without_a_time_is_told_with_the_rest_that_follows() -> None:
    it = bench(refusal(429), retry=RetryRules(same_account=0))

    assert (await failure(it)).retry_after_s == pytest.approx(2.1, abs=0.1)


def test_r6_a_request_waits_in_queues_once_as_long_as_the_settings_say_however_many_attempts() -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        alt = FakeTransport(GOOD)
        it = bench(refusal(503), count=1, beside={"alt": alt}, fallbacks=TO_ALT)
        it.pool.replace([replace(standing.account, concurrency=1) for standing in it.pool.standings()])
        held = [it.pool.take(Wish(provider=name), loop.time()) for name in (PROVIDER, "alt")]
        loop.call_later(20.0, it.turnstile.leave, held[0], Outcome())
        began = loop.time()
        with pytest.raises(GatewayError):
            await it.body()
        assert it.routes == ["up/m"]
        return loop.time() - began

    assert run_in_virtual_time(scenario()) == pytest.approx(30.0)
