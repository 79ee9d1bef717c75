"""One question about one image, put to the gateway as an exchange of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.compress import IMAGE_TOKENS
from iflow_cli_proxy.core.errors import GatewayError, Malformed, RateLimited
from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.describing import Describer
from iflow_cli_proxy.gateway.record import AttemptRecord, Exchange
from iflow_cli_proxy.gateway.relay import Answer, ReadyStream, WholeAnswer
from iflow_cli_proxy.gateway.vision import Description
from iflow_cli_proxy.pool.client_key import Caller, ClientKey, digest_of
from iflow_cli_proxy.protocols.base import Inbound
from tests.support.fake_clock import FakeClock
from tests.support.images import CODEC

IMAGE = Image(data="AAAA", media_type="image/png")
COST = Usage(prompt=100, completion=10)


def said(**message: Any) -> WholeAnswer:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    return WholeAnswer(body=jsonx.encode({"id": "x", "object": "chat.completion", "choices": [choice]}))


class FakeGateway:
    def __init__(self, answer: Answer | GatewayError, usage: Usage = COST) -> None:
        self._answer = answer
        self._usage = usage
        self.asked: list[tuple[Inbound, Exchange]] = []
        self.ended: list[Exchange] = []

    async def answer(self, inbound: Inbound, exchange: Exchange) -> Answer:
        self.asked.append((inbound, exchange))
        if isinstance(self._answer, GatewayError):
            raise self._answer
        exchange.usage = self._usage
        exchange.attempts.append(AttemptRecord(account="a", route="up/seer"))
        return self._answer

    async def describe(self, image: Image = IMAGE, hint: str = "", asker: Exchange | None = None) -> Description:
        describer = Describer(
            "seer",
            ask=self.answer,
            codec=CODEC,
            clock=FakeClock(),
            new_id=lambda: "req_7",
            on_end=self.ended.append,
        )
        return await describer(image, hint, asker or Exchange(request_id="req_1", protocol=CODEC.name, started_at=0.0))


async def test_the_answer_and_its_cost_come_back() -> None:
    gateway = FakeGateway(said(content="a red square", reasoning_content="hm"))

    assert await gateway.describe() == Description(text="a red square", usage=COST)

    (ended,) = gateway.ended
    assert (ended.request_id, ended.asked, ended.usage, ended.status) == ("req_7", "seer", COST, 200)


async def test_it_asks_for_one_whole_answer_about_one_image() -> None:
    gateway = FakeGateway(said(content="a red square"))

    await gateway.describe(hint="what colour is it?")

    ((inbound, exchange),) = gateway.asked
    envelope = CODEC.read_envelope(inbound)
    body = envelope.values
    words, shown = body["messages"][0]["content"]
    assert (envelope.model, envelope.is_stream, exchange.is_stream) == ("seer", False, False)
    assert (body["temperature"], body["max_tokens"], len(body["messages"])) == (0.1, 2000, 1)
    assert words["text"].endswith("what colour is it?")
    assert shown["image_url"]["url"] == "data:image/png;base64,AAAA"
    assert inbound.headers == {"x-request-timeout": "60"}


async def test_without_a_hint_the_question_names_none() -> None:
    gateway = FakeGateway(said(content="a red square"))

    await gateway.describe(Image(url="https://images.example/a.png"))

    body = jsonx.decode(gateway.asked[0][0].body)
    words, shown = body["messages"][0]["content"]
    assert words["text"].endswith("the description only.")
    assert shown["image_url"]["url"] == "https://images.example/a.png"


async def test_a_failure_is_told_and_noted() -> None:
    gateway = FakeGateway(RateLimited("Slow down."))

    with pytest.raises(RateLimited):
        await gateway.describe()

    assert [(one.error_kind, one.status) for one in gateway.ended] == [("rate_limited", 429)]


async def test_one_that_nobody_waits_for_any_more_is_noted_all_the_same() -> None:
    gateway = FakeGateway(said(content="a red square"))

    async def leave(inbound: Inbound, exchange: Exchange) -> Answer:
        raise asyncio.CancelledError

    gateway.answer = leave  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await gateway.describe()

    assert [(one.error_kind, one.status) for one in gateway.ended] == [("cancelled", 499)]


async def test_an_image_that_nobody_counted_is_charged_and_noted_at_its_usual_price() -> None:
    guess = Usage(completion=10, is_estimated=True)
    gateway, asker = (
        FakeGateway(said(content="a red square"), guess),
        Exchange(request_id="r", protocol=CODEC.name, started_at=0.0),
    )

    await gateway.describe(asker=asker)

    (noted,) = gateway.ended
    assert noted.usage == asker.usage_beside == guess + Usage(prompt=IMAGE_TOKENS)
    assert asker.beside == [noted]


async def test_a_stream_is_no_answer() -> None:
    stream = ReadyStream(b"data: {}", {})

    with pytest.raises(Malformed):
        await FakeGateway(stream).describe()

    assert await stream.read() == b""


async def test_no_words_are_no_text() -> None:
    assert (await FakeGateway(said(content="", reasoning_content="hm")).describe()).text == ""


KEY = ClientKey(name="team", digest=digest_of("x"), models=("blind",), accounts=("up/*",), pool="mine", rpm=3)


async def test_it_asks_in_the_place_of_whoever_sent_the_image_and_at_their_expense() -> None:
    gateway = FakeGateway(said(content="a red square"))
    asker = Exchange(
        request_id="r", protocol=CODEC.name, started_at=0.0, client="team", caller=Caller(name="team", key=KEY)
    )

    await gateway.describe(asker=asker)
    await gateway.describe(asker=asker)

    _, exchange = gateway.asked[0]
    assert exchange.client == "team"
    assert exchange.caller.key == replace(KEY, models=()), "the vision model is not the caller's choice"
    assert (asker.usage_beside, asker.requests_beside, asker.usage) == (COST + COST, 2, None)


async def test_what_reached_no_upstream_costs_nothing() -> None:
    asker = Exchange(request_id="r", protocol=CODEC.name, started_at=0.0)

    with pytest.raises(RateLimited):
        await FakeGateway(RateLimited("Slow down.")).describe(asker=asker)

    assert (asker.usage_beside, asker.requests_beside) == (Usage(), 0)
