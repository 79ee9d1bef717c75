from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.core.errors import CutOff, GatewayError, Malformed, Overloaded, RateLimited, Rejected
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.refusal import MAX_BYTES, WAIT_S, refusal_of
from tests.support.exchanges import provider
from tests.support.fake_transport import FakeReply
from tests.support.virtual_time import run_in_virtual_time

WORDS = b'{"error":{"message":"field x is wrong","code":"bad_field"}}'


async def told(reply: FakeReply, limits: Limits | None = None, key: str = "") -> GatewayError:
    deadline = Deadline(limits or Limits())
    try:
        return await refusal_of(reply, provider(), deadline, Secret(key))
    finally:
        deadline.close()


async def test_the_words_of_a_refusal_are_heard_in_whatever_pieces_they_come() -> None:
    error = await told(FakeReply(WORDS[:9], WORDS[9:], status=422))

    assert isinstance(error, Rejected)
    assert (error.message, error.status) == ("field x is wrong", 422)


@pytest.mark.parametrize("start", [b"data:", b"id:1\nevent:error\n:HTTP_STATUS/400\ndata: "])
async def test_the_words_may_come_in_an_event(start: bytes) -> None:
    """A refused stream at Alibaba's DashScope says so in its first event."""
    error = await told(FakeReply(start + WORDS, status=400))

    assert error.message == "field x is wrong"


@pytest.mark.parametrize("body", [b"", b"<html>", WORDS[:20], b"[" * 100_000, b"\xff"])
async def test_the_status_is_verdict_enough(body: bytes) -> None:
    assert isinstance(await told(FakeReply(body, status=503)), Overloaded)


async def test_a_body_that_breaks_off_takes_nothing_from_the_verdict() -> None:
    error = await told(FakeReply(WORDS[:20], CutOff("cut"), status=429, headers={"retry-after": "7"}))

    assert isinstance(error, RateLimited)
    assert (error.retry_after_s, error.status) == (7, 429)


async def test_a_body_without_end_is_read_up_to_a_cap() -> None:
    reply = FakeReply(*[b"x" * 65_536] * 100, status=500)
    error = await told(reply)

    assert error.status == 500
    assert reply.reads == MAX_BYTES // 65_536


async def test_a_status_nobody_knows_is_malformed() -> None:
    assert isinstance(await told(FakeReply(status=302)), Malformed)


@pytest.mark.parametrize(("limits", "after_s"), [(Limits(), WAIT_S), (Limits(first_byte_s=2), 2.0)])
def test_a_body_that_never_comes_is_waited_for_a_moment(limits: Limits, after_s: float) -> None:
    async def scenario() -> float:
        began = asyncio.get_running_loop().time()
        assert isinstance(await told(FakeReply(asyncio.Event(), status=503), limits), Overloaded)
        return asyncio.get_running_loop().time() - began

    assert run_in_virtual_time(scenario()) == pytest.approx(after_s)
