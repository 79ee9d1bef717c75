from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import copy
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import (
    Busy,
    CapacityError,
    ConnectionLost,
    ConnectTimedOut,
    ContextOverflow,
    Failing,
    Forbidden,
    GatewayError,
    InvalidRequest,
    LoginRequired,
    NoAccountAvailable,
    Overloaded,
    RateLimited,
    Rejected,
    TimedOut,
    TlsFailed,
    Unreachable,
)
from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.core.room import Room
from iflow_cli_proxy.gateway.attempt import AnswerRules
from iflow_cli_proxy.gateway.deadline import Limits
from iflow_cli_proxy.gateway.describing import Describer
from iflow_cli_proxy.gateway.exchange import Gateway
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import Answer, WholeAnswer
from iflow_cli_proxy.gateway.retry import RetryRules
from iflow_cli_proxy.gateway.vision import Description, VisionBridge
from iflow_cli_proxy.pool.client_key import Caller, ClientKey
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import Lease
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.protocols.base import Inbound
from iflow_cli_proxy.providers.iflow.provider import IflowProvider
from iflow_cli_proxy.providers.iflow.sunset import SUNSET_AT
from iflow_cli_proxy.providers.openai_compatible import OpenAICompatible
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.entropy import counting_entropy
from tests.support.exchanges import CODEC, Bench, bench
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import FakeReply, FakeTransport
from tests.support.faults import GOOD_EVENTS, piece, whole
from tests.support.images import data_url, image
from tests.support.virtual_time import run_in_virtual_time

EVENTS = b"".join(f"data: {data}\n\n".encode() for data in GOOD_EVENTS)
GOOD = FakeReply(whole())


def refusal(status: int, **headers: str) -> FakeReply:
    return FakeReply(
        b'{"error":{"message":"no"}}', status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def failure(it: Bench, **options: object) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await it.answer(**options)
    assert it.in_flight == 0
    assert all(reply.closes == 1 for reply in it.transport.replies)
    return caught.value


def timers() -> int:
    """Timers that are still armed in this loop."""
    loop = asyncio.get_running_loop()
    scheduled: list[asyncio.TimerHandle] = loop._scheduled  # type: ignore[attr-defined]  # CPython's own
    return len([timer for timer in scheduled if not timer.cancelled()])


async def test_the_first_good_answer_is_the_answer() -> None:
    it = bench(GOOD)

    assert await it.body() == whole()
    assert it.exchanges[-1].asked == "m"
    assert len(it.transport.requests) == 1


async def test_r1_another_account_takes_over_at_once() -> None:
    it = bench(refusal(503), refusal(429, retry_after="60"), FakeReply(whole()), count=3)

    assert await it.body() == whole()
    assert [kind for _, kind in it.endings] == ["upstream_overloaded", "rate_limited", ""]
    assert len({account for account, _ in it.endings}) == 3


async def test_r1_a_bad_key_costs_one_attempt_and_no_client_an_error() -> None:
    it = bench(refusal(401), FakeReply(EVENTS), count=2)

    assert (await it.body(stream=True)).endswith(b"data: [DONE]\n\n")
    assert [kind for _, kind in it.endings] == ["upstream_auth", ""]


@pytest.mark.parametrize("error", [Unreachable("x", hint="h"), ConnectTimedOut("x"), TlsFailed("x")])
async def test_an_iflow_that_is_gone_names_the_way_out(error: GatewayError) -> None:
    """Its vendor closed it; a person is told what to do instead, and only where the vendor's own address is dead."""
    after, before = FakeClock(SUNSET_AT + 1), FakeClock(SUNSET_AT - 1)
    gone = IflowProvider("up", Catalog(), clock=after, entropy=counting_entropy())
    relay = IflowProvider("up", Catalog(), clock=after, entropy=counting_entropy(), base_url="http://relay.test/v1")
    alive = IflowProvider("up", Catalog(), clock=before, entropy=counting_entropy())

    assert "iflow2api serve --upstream URL" in (await failure(bench(copy(error), by=gone))).hint
    for by in (relay, alive):
        assert (await failure(bench(copy(error), by=by))).hint == error.hint


async def test_f38_a_key_refused_with_an_odd_status_is_another_accounts_turn() -> None:
    it = bench(FakeReply(b'{"error":{"message":"Invalid apiKey"}}', status=434), FakeReply(whole()), count=2)

    assert await it.body() == whole()
    assert [kind for _, kind in it.endings] == ["upstream_auth", ""]


async def test_r1_there_are_three_attempts_at_most() -> None:
    it = bench(refusal(503), count=9)

    assert isinstance(await failure(it), Overloaded)
    assert len(it.transport.requests) == 3


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_f36_a_refused_request_is_not_offered_to_the_next_account(status: int) -> None:
    it = bench(refusal(status), GOOD, count=3)

    assert isinstance(await failure(it), Rejected)
    assert len(it.transport.requests) == 1


async def test_r1_after_our_own_time_limit_nothing_is_tried() -> None:
    it = bench(asyncio.Event(), GOOD, count=3, limits=Limits(first_byte_s=0.05))

    assert isinstance(await failure(it), TimedOut)
    assert len(it.transport.requests) == 1


async def test_r1_two_lost_connections_are_the_end_of_it() -> None:
    it = bench(ConnectionLost("gone"), ConnectionLost("gone"), GOOD, count=3)

    assert isinstance(await failure(it), ConnectionLost)
    assert len(it.transport.requests) == 2


async def test_r1_what_was_committed_is_never_tried_again() -> None:
    """The ping that opens a silent stream sets the mark while an attempt is under way."""

    class PingedMeanwhile(FakeTransport):
        async def send(self, request: UpstreamRequest) -> FakeReply:
            it.exchanges[-1].is_committed = True
            return await super().send(request)

    it = bench(transport=PingedMeanwhile(refusal(503), GOOD), count=2)

    assert isinstance(await failure(it, stream=True), Overloaded)
    assert len(it.transport.requests) == 1


async def test_r1_an_empty_budget_allows_no_retry() -> None:
    it = bench(refusal(503), concurrency=0)
    for _ in range(30):
        with pytest.raises(Overloaded):
            await it.answer()

    assert 30 < len(it.transport.requests) <= 30 + 10 + 30 * 0.2 + 1


async def test_the_most_useful_of_several_failures_is_told() -> None:
    limited, lost = refusal(429, retry_after="60"), Unreachable("gone")
    it = bench(limited, lost, refusal(401), count=3)
    error = await failure(it)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 60
    assert isinstance(error.__cause__, LoginRequired)


async def test_f33_the_wait_told_is_that_of_the_account_free_soonest() -> None:
    waits = [refusal(429, retry_after=wait) for wait in ("60", "7", "30")]

    assert (await failure(bench(*waits, count=3))).retry_after_s == 7


async def test_of_one_account_the_last_word_counts() -> None:
    it = bench(refusal(429, retry_after_ms="1"), refusal(429, retry_after="50"))

    assert (await failure(it)).retry_after_s == 50


async def test_a_queue_that_is_full_hides_no_failure_of_the_upstream() -> None:
    it = bench(refusal(503, retry_after_ms="40"))
    it.turnstile.places = 0
    first = asyncio.get_running_loop().create_task(it.answer())
    await asyncio.sleep(0.01)
    taken = await it.turnstile.enter(Wish(provider="up"))  # while the first waits for its second attempt

    with pytest.raises(Overloaded):
        await first
    it.turnstile.leave(taken, Outcome())


async def test_a_request_that_is_wrong_reaches_nobody() -> None:
    it = bench(GOOD)
    with pytest.raises(InvalidRequest):
        await it.answer(messages=7)

    assert it.transport.requests == []
    assert timers() == 0


async def test_f61_accounts_that_all_rest_are_told_of_once_and_nobody_is_asked() -> None:
    it = bench(refusal(429, retry_after="60"), refusal(429, retry_after="40"), count=2)
    await failure(it)

    error = await failure(it)
    assert isinstance(error, RateLimited)
    assert 39 < (error.retry_after_s or 0) <= 44
    assert len(it.transport.requests) == 2


async def test_no_account_is_said_at_once() -> None:
    it = bench(GOOD, count=0)

    assert isinstance(await failure(it), NoAccountAvailable)


@pytest.mark.parametrize(
    ("wish", "limit_s"),
    [("2", 2.0), ("0.5", 0.5), ("60", 60.0), ("900", 60.0), ("0", 60.0), ("-1", 60.0), ("nan", 60.0), ("inf", 60.0)],
)
def test_r6_a_client_may_shorten_the_total_and_never_lengthen_it(wish: str, limit_s: float) -> None:
    async def scenario() -> float:
        it = bench(asyncio.Event(), limits=Limits(first_byte_s=500, idle_s=500, content_s=500, total_s=60))
        began = asyncio.get_running_loop().time()
        error = await failure(it, headers={"x-request-timeout": wish})
        assert isinstance(error, TimedOut)
        return asyncio.get_running_loop().time() - began

    assert run_in_virtual_time(scenario()) == pytest.approx(limit_s)


def test_r6_time_in_the_queue_counts_for_the_client_and_not_for_the_upstream() -> None:
    async def scenario() -> tuple[float, str]:
        it = bench(asyncio.Event(), limits=Limits(first_byte_s=10, idle_s=10, total_s=300))
        loop = asyncio.get_running_loop()
        held = await it.turnstile.enter(Wish(provider="up"))
        loop.call_later(25, it.turnstile.leave, held, Outcome())
        began = loop.time()
        error = await failure(it)
        assert isinstance(error, TimedOut)
        return loop.time() - began, error.limit

    took_s, limit = run_in_virtual_time(scenario())
    assert took_s == pytest.approx(35)
    assert limit == "first_byte"


def test_r6_the_queue_ends_with_the_clients_patience() -> None:
    async def scenario() -> float:
        it = bench(GOOD)
        held = await it.turnstile.enter(Wish(provider="up"))
        began = asyncio.get_running_loop().time()
        with pytest.raises(Busy):
            await it.answer(headers={"x-request-timeout": "3"})
        it.turnstile.leave(held, Outcome())
        return asyncio.get_running_loop().time() - began

    assert run_in_virtual_time(scenario()) == pytest.approx(3)


def test_r6_no_pause_is_begun_that_outlasts_the_deadline() -> None:
    async def scenario() -> float:
        it = bench(refusal(503, retry_after="1.5"), GOOD)
        began = asyncio.get_running_loop().time()
        await failure(it, headers={"x-request-timeout": "1"})
        return asyncio.get_running_loop().time() - began

    assert run_in_virtual_time(scenario()) == 0


# --- leaving, and what is our own fault ---------------------------------------------------------------------------


def hangs_in_send() -> Bench:
    return bench(asyncio.Event())


def hangs_in_the_first_read() -> Bench:
    return bench(FakeReply(asyncio.Event()))


def hangs_in_a_later_read() -> Bench:
    return bench(FakeReply(whole()[:9], asyncio.Event()))


def hangs_in_a_refusal() -> Bench:
    return bench(FakeReply(asyncio.Event(), status=400))


def hangs_in_backoff() -> Bench:
    return bench(refusal(503, retry_after="1.9"), GOOD)


def hangs_in_the_queue() -> Bench:
    it = bench(GOOD)
    it.pool.take(Wish(provider="up"), 0.0)
    return it


@pytest.mark.parametrize(
    ("make", "endings"),
    [
        (hangs_in_send, ["cancelled"]),
        (hangs_in_the_first_read, ["cancelled"]),
        (hangs_in_a_later_read, ["cancelled"]),
        (hangs_in_a_refusal, ["cancelled"]),
        (hangs_in_backoff, ["upstream_overloaded"]),
        (hangs_in_the_queue, []),
    ],
)
async def test_r5_leaving_frees_everything_at_once_wherever_it_happens(
    make: Callable[[], Bench], endings: list[str]
) -> None:
    it = make()
    before = it.in_flight
    task = asyncio.get_running_loop().create_task(it.answer())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert it.in_flight == before
    assert it.turnstile.waiting == 0
    assert all(reply.closes == 1 for reply in it.transport.replies)
    assert [kind for _, kind in it.endings] == endings
    assert it.pool.standings()[0].last_error == (endings[0] if endings[:1] == ["upstream_overloaded"] else "")
    assert timers() == 0


@pytest.mark.parametrize("answer", [ZeroDivisionError("bug"), FakeReply(ZeroDivisionError("bug"))])
async def test_a_bug_of_ours_frees_everything_and_is_not_dressed_up(answer: Exception | FakeReply) -> None:
    it = bench(answer)
    with pytest.raises(ZeroDivisionError):
        await it.answer()

    assert it.in_flight == 0
    assert it.endings == [("label 0", "internal")]
    assert it.pool.standings()[0].failures_in_a_row == 0
    assert timers() == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_no_timer_outlives_its_exchange(stream: bool) -> None:
    cut = FakeReply(f"data: {piece('a')}\n\n".encode())
    it = bench(FakeReply(EVENTS if stream else whole()), cut, refusal(400), FakeReply(whole()))
    for _ in range(4):
        try:
            await it.body(stream=stream)
        except GatewayError:
            continue

    assert timers() == 0


async def test_r1_rules_of_one_attempt_are_obeyed() -> None:
    it = bench(refusal(500), GOOD, count=3, retry=RetryRules(max_attempts=1))

    assert isinstance(await failure(it), Failing)
    assert len(it.transport.requests) == 1


# --- what a client key may use ------------------------------------------------------------------------------------

WINDOWS = (Model(id="kimi-8k", context_tokens=8_000), Model(id="kimi-128k", context_tokens=128_000))
TOO_LONG = FakeReply(
    b'{"error":{"message":"This model has a maximum context length of 8 tokens","code":"context_length_exceeded"}}',
    status=400,
)


def held_to(it: Bench, *models: str) -> Bench:
    it.caller = Caller(name="team", key=ClientKey(name="team", digest=b"d", models=models))
    return it


@pytest.mark.parametrize("asked", ["kimi-8k", "up/kimi-8k", "KIMI-8k"])
async def test_i6_a_larger_window_is_no_way_around_the_models_of_a_key(asked: str) -> None:
    it = held_to(bench(TOO_LONG, GOOD, models=WINDOWS), "kimi-8k")
    assert isinstance(await failure(it, model=asked), ContextOverflow)
    assert it.routes == ["up/kimi-8k"]

    it = held_to(bench(TOO_LONG, GOOD, models=WINDOWS), "kimi-*")
    await it.body(model=asked)
    assert it.routes == ["up/kimi-8k", "up/kimi-128k"]


@pytest.mark.parametrize(("models", "reached"), [(("cheap",), 1), (("cheap", "dear"), 2), (("cheap", "up/dear"), 2)])
async def test_i6_a_fallback_serves_a_key_that_may_ask_for_it_alone(models: tuple[str, ...], reached: int) -> None:
    it = held_to(bench(refusal(503), GOOD, fallbacks={"cheap": ("dear",)}, retry=RetryRules(same_account=0)), *models)
    if reached == 1:
        assert isinstance(await failure(it, model="cheap"), GatewayError)
    else:
        await it.body(model="cheap")
    assert it.routes == ["up/cheap", "up/dear"][:reached]


@pytest.mark.parametrize("asked", ["kimi-8k(high)", "up/kimi-8k(high)", "unheard-of(high)"])
async def test_a_wish_in_a_name_is_no_other_model(asked: str) -> None:
    it = held_to(bench(GOOD, models=WINDOWS), "kimi-8k", "unheard-of")
    await it.body(model=asked)
    assert it.routes == [f"up/{asked.removeprefix('up/')}"]

    with pytest.raises(Forbidden):
        await held_to(bench(GOOD, models=WINDOWS), "kimi-128k").body(model=asked)


# --- images -------------------------------------------------------------------------------------------------------

PICTURE = [{"role": "user", "content": [image("https://images.example/a.png")]}]


async def test_nothing_is_fetched_for_a_key_that_may_not_ask() -> None:
    fetched: list[str] = []

    async def fetch(url: str, path: str) -> Image:
        fetched.append(url)
        return Image(data="AAAA", media_type="image/png")

    it = held_to(bench(GOOD, fetch=fetch), "other")
    assert isinstance(await failure(it, messages=PICTURE), Forbidden)
    assert fetched == []


async def test_r6_fetching_counts_against_the_request() -> None:
    async def fetch(url: str, path: str) -> Image:
        await asyncio.Event().wait()
        raise AssertionError

    it = bench(GOOD, fetch=fetch)
    error = await failure(it, messages=PICTURE, headers={"x-request-timeout": "0.02"})

    assert isinstance(error, TimedOut)
    assert "x-request-timeout" in error.message
    assert timers() == 0


async def test_fetched_images_take_up_room_until_their_request_has_ended() -> None:
    async def fetch(url: str, path: str) -> Image:
        return Image(data="A" * 80, media_type="image/png")

    room = Room(100)
    it = bench(GOOD, GOOD, fetch=fetch, room=room)
    await it.body(messages=PICTURE)
    assert room.left == 20
    assert isinstance(await failure(it, messages=PICTURE), Busy)
    for exchange in it.exchanges:
        exchange.end()
    assert room.left == 100
    await it.body(messages=PICTURE)


async def test_a_client_is_told_what_was_done_to_its_request() -> None:
    async def describe(picture: Image, hint: str, asker: Exchange) -> Description:
        return Description(text="a red square")

    def made(rules: AnswerRules) -> Bench:
        blind = (Model(id="m", has_vision=False),)
        return bench(GOOD, models=blind, bridge=VisionBridge("seer", describe), answer_rules=rules)

    asked = [*PICTURE, {"role": "assistant", "content": []}]
    told = (await made(AnswerRules()).answer(messages=asked)).headers
    assert told["x-iflow2api-described"] == "1 described by seer"
    assert told["x-iflow2api-repaired"] == "1 change"
    silent = (await made(AnswerRules(names_account=False)).answer(messages=asked)).headers
    assert not any(name.startswith("x-iflow2api-") for name in silent)


async def test_describing_is_done_with_the_accounts_of_the_caller_and_at_its_expense() -> None:
    ways: dict[str, Gateway] = {}
    describer = Describer(
        "b/seer",
        ask=lambda inbound, exchange: ways["it"].answer(inbound, exchange),
        codec=CODEC,
        clock=FakeClock(),
        new_id=lambda: "r2",
    )
    b = FakeTransport(FakeReply(whole("a cat")))
    it = bench(
        GOOD, models=(Model(id="m", has_vision=False),), bridge=VisionBridge("b/seer", describer), beside={"b": b}
    )
    ways["it"] = it.gateway
    picture = [{"role": "user", "content": [image(data_url())]}]

    it.caller = Caller(key=ClientKey(name="team", digest=b"d", models=("m",), accounts=("up/*",)))
    assert isinstance(await failure(it, messages=picture), CapacityError)
    assert b.requests == []

    it.caller = Caller(key=ClientKey(name="team", digest=b"d", models=("m",)))
    await it.body(messages=picture)
    exchange = it.exchanges[-1]
    assert len(b.requests) == exchange.requests_beside == 1
    assert exchange.usage_beside.total > 0


# --- what nobody translates ---------------------------------------------------------------------------------------

VECTORS = FakeReply(b'{"object":"list","data":[{"index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":1}}')


class WithoutEmbeddings(OpenAICompatible):
    passes_on = frozenset()  # type: ignore[misc]


async def embed(it: Bench) -> Answer:
    asked = Inbound(protocol="openai_embeddings", body=b'{"model":"e","input":"hi"}', headers={})
    exchange = Exchange(request_id="req_1", protocol="openai_embeddings", started_at=0.0)
    it.exchanges.append(exchange)
    return await it.gateway.answer(asked, exchange)


async def test_of_several_providers_one_that_has_the_endpoint_is_asked() -> None:
    models = (Model(id="e"),)
    without = WithoutEmbeddings("up", "http://up.test/v1", Catalog(models), clock=FakeClock())
    it = bench(by=without, beside={"other": FakeTransport(VECTORS)})
    other = it.gateway.upstreams["other"].provider
    other.catalog = Catalog(models)  # type: ignore[misc]
    it.gateway.table.catalogs["other"] = other.catalog  # type: ignore[index]

    assert isinstance(await embed(it), WholeAnswer)
    assert it.routes == ["other/e"]


async def test_a_provider_without_the_endpoint_is_named() -> None:
    without = WithoutEmbeddings("up", "http://up.test/v1", Catalog(()), clock=FakeClock())

    for it in (bench(by=without), bench(FakeReply(b'{"error":{"message":"nope"}}', status=404))):
        with pytest.raises(InvalidRequest, match="`up` has no embeddings"):
            await embed(it)
        assert it.in_flight == 0


# --- prompts that are too long, where the client says what is to be done ------------------------------------------


@pytest.mark.parametrize(("truncation", "reached"), [("auto", 2), ("disabled", 1)])
async def test_a_client_may_have_its_prompt_shortened(truncation: str, reached: int) -> None:
    rounds = [{"role": role, "content": "x"} for _ in range(12) for role in ("user", "assistant")]
    asked = {"model": "m", "input": [*rounds, {"role": "user", "content": "last"}], "truncation": truncation}
    it = bench(TOO_LONG, GOOD)
    inbound = Inbound(protocol="openai_responses", body=jsonx.encode(asked), headers={})
    exchange = Exchange(request_id="req_1", protocol="openai_responses", started_at=0.0)

    if reached == 1:
        with pytest.raises(ContextOverflow):
            await it.gateway.answer(inbound, exchange)
    else:
        await it.gateway.answer(inbound, exchange)
        assert len(jsonx.decode(it.transport.requests[-1].body)["messages"]) < len(rounds)
    assert len(it.transport.requests) == reached


async def test_a_picture_is_no_text_where_room_for_a_prompt_is_looked_for() -> None:
    seen: list[int] = []
    it = bench(GOOD)
    enter = it.turnstile.enter

    async def entering(wish: Wish, **how: Any) -> Lease:
        seen.append(wish.tokens)
        return await enter(wish, **how)

    it.turnstile.enter = entering  # type: ignore[method-assign]
    await it.body(messages=[{"role": "user", "content": [image(f"data:image/png;base64,{'A' * 400_000}")]}])

    assert 1_000 < seen[0] < 1_500
