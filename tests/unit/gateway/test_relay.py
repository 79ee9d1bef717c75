from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.core.errors import CutOff, GatewayError
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.pipe import FastPipe
from iflow_cli_proxy.gateway.relay import ReadyStream, Relay
from tests.support.exchanges import CODEC
from tests.support.fake_transport import FakeReply, Piece
from tests.support.faults import GOOD_EVENTS, STOP, piece
from tests.support.virtual_time import run_in_virtual_time

LIMITS = Limits(first_byte_s=10, idle_s=5, content_s=12, total_s=60)
DONE = CODEC.end_marker


def frames(*datas: str) -> bytes:
    return b"".join(f"data: {data}\n\n".encode() for data in datas)


class Bench:
    """One relay over a scripted reply, with `first` held back as its opening would have."""

    def __init__(self, *pieces: Piece, first: bytes = b"") -> None:
        self.reply = FakeReply(*pieces)
        self.endings: list[tuple[GatewayError | None, bool]] = []
        pipe = FastPipe(CODEC, CODEC.tap(CODEC.decode_error, frozenset()), shows_usage=False)
        ready = pipe.feed(first)
        self.deadline = Deadline(LIMITS)
        self.deadline.saw_head()
        self.relay = Relay(
            voice=CODEC,
            reply=self.reply,
            deadline=self.deadline,
            pipe=pipe,
            ready=ready,
            headers={"x-one": "1"},
            on_end=lambda error, has_ended: self.endings.append((error, has_ended)),
        )

    async def read_all(self) -> bytes:
        out = []
        while chunk := await self.relay.read():
            out.append(chunk)
        return b"".join(out)

    async def whole(self) -> bytes:
        try:
            return await self.read_all()
        finally:
            await self.relay.aclose()


async def test_what_was_held_back_comes_first_and_alone() -> None:
    bench = Bench(frames(piece("b"), STOP, "[DONE]"), first=frames(piece("a")))

    assert await bench.relay.read() == frames(piece("a"))
    assert bench.reply.reads == 0
    assert await bench.read_all() == frames(piece("b"), STOP) + DONE
    await bench.relay.aclose()


async def test_a_good_stream_ends_once_and_gives_its_connection_back() -> None:
    bench = Bench(frames(*GOOD_EVENTS))

    assert (await bench.whole()).endswith(DONE)
    assert bench.endings == [(None, True)]
    assert bench.reply.is_read_out
    assert bench.reply.is_closed


async def test_reading_on_after_the_end_answers_nothing() -> None:
    bench = Bench(frames(*GOOD_EVENTS))
    await bench.whole()

    assert await bench.relay.read() == b""


async def test_closing_twice_tells_once() -> None:
    bench = Bench(frames(*GOOD_EVENTS))
    await bench.whole()
    await bench.relay.aclose()

    assert len(bench.endings) == 1
    assert bench.reply.closes == 1


async def test_r4_a_cut_stream_ends_in_one_error_event() -> None:
    cut = CutOff("The upstream's answer stopped before its end.")
    bench = Bench(frames(piece("a")), cut)
    out = await bench.whole()

    assert out == frames(piece("a")) + CODEC.stream_error(cut)
    assert bench.endings == [(cut, True)]


async def test_r4_an_error_that_came_with_the_first_content_is_told_after_it() -> None:
    error = '{"error":{"message":"overloaded","code":"upstream_overloaded"}}'
    bench = Bench(first=frames(piece("a"), error))
    out = await bench.whole()

    assert out.startswith(frames(piece("a")))
    assert out.count(b'{"error"') == 1
    assert bench.reply.reads == 0
    assert bench.endings[0][0] is not None


@pytest.mark.parametrize("end", [b"", CutOff("gone")], ids=["end-of-body", "cut"])
async def test_f17_whatever_follows_a_finish_the_answer_is_whole(end: Piece) -> None:
    bench = Bench(frames(piece("a"), STOP), end)

    assert await bench.whole() == frames(piece("a"), STOP) + DONE
    assert bench.endings == [(None, True)]


def test_f17_a_finish_and_then_silence_is_a_whole_answer_at_the_idle_limit() -> None:
    async def scenario() -> tuple[bytes, float]:
        bench = Bench(frames(piece("a"), STOP), asyncio.Event())
        out = await bench.whole()
        return out, asyncio.get_running_loop().time()

    out, ended_at = run_in_virtual_time(scenario())
    assert out.endswith(DONE)
    assert ended_at == pytest.approx(1000 + LIMITS.idle_s)


async def test_f17_half_an_event_after_the_finish_is_still_a_cut() -> None:
    bench = Bench(frames(piece("a"), STOP) + b'data: {"choices":[],"usa', CutOff("gone"))
    out = await bench.whole()

    assert b"upstream_cut" in out
    assert DONE not in out


@pytest.mark.parametrize(("murmur", "limit", "after_s"), [(False, "idle", 5), (True, "content", 12)])
def test_f14_silence_and_murmuring_end_at_their_limits(murmur: bool, limit: str, after_s: float) -> None:
    class Murmuring(FakeReply):
        async def read(self) -> bytes:
            await asyncio.sleep(1)
            return b": still here\n\n"

    async def scenario() -> tuple[bytes, float]:
        bench = Bench(asyncio.Event(), first=frames(piece("a")))
        if murmur:
            bench.relay._reply = Murmuring()
        out = await bench.whole()
        return out, asyncio.get_running_loop().time() - 1000

    out, took_s = run_in_virtual_time(scenario())
    assert f"the {limit} limit".encode() in out
    assert took_s == pytest.approx(after_s)


async def test_r5_a_relay_closed_early_says_so_and_closes_its_upstream_at_once() -> None:
    bench = Bench(asyncio.Event(), first=frames(piece("a")))
    reading = asyncio.get_running_loop().create_task(bench.read_all())
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await bench.relay.aclose()

    assert bench.endings == [(None, False)]
    assert bench.reply.is_closed


async def test_r5_a_client_that_leaves_before_the_first_frame_is_no_success() -> None:
    bench = Bench(first=frames(*GOOD_EVENTS))
    await bench.relay.aclose()

    assert bench.endings == [(None, False)]


def test_f15_the_end_of_the_body_is_waited_for_only_a_moment() -> None:
    async def scenario() -> tuple[float, float, bool]:
        bench = Bench(frames(*GOOD_EVENTS), asyncio.Event())
        loop = asyncio.get_running_loop()
        await bench.read_all()
        read_at = loop.time()
        await bench.relay.aclose()
        return read_at - 1000, loop.time() - read_at, bench.reply.is_closed

    read_after_s, closed_after_s, is_closed = run_in_virtual_time(scenario())
    assert (read_after_s, is_closed) == (0, True)
    assert closed_after_s == pytest.approx(0.1)


async def test_the_account_is_free_before_the_end_of_the_body_is_waited_for() -> None:
    bench = Bench(frames(*GOOD_EVENTS), asyncio.Event())
    await bench.read_all()
    closing = asyncio.get_running_loop().create_task(bench.relay.aclose())
    await asyncio.sleep(0)

    assert bench.endings == [(None, True)]
    assert not bench.reply.is_closed
    await closing


async def test_closing_may_be_cancelled_and_still_closes_the_upstream() -> None:
    bench = Bench(frames(*GOOD_EVENTS), asyncio.Event())
    await bench.read_all()
    closing = asyncio.get_running_loop().create_task(bench.relay.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)

    assert bench.reply.is_closed


async def test_a_ready_stream_is_read_once() -> None:
    stream = ReadyStream(b"all", {"x": "1"})

    assert (await stream.read(), await stream.read()) == (b"all", b"")
    await stream.aclose()
    assert stream.headers == {"x": "1"}


class Thinking:
    """A voice whose client is not told what the model thinks."""

    def __init__(self) -> None:
        self.has_content = self.is_over = self.is_complete = False
        self.failure: GatewayError | None = None
        self.characters = 0
        self.usage = None

    def feed(self, chunk: bytes) -> bytes:
        self.characters += len(chunk.strip(b":"))
        return chunk if chunk == b"said" else b""

    def end(self) -> bytes:
        self.is_over = True
        return b""


@pytest.mark.parametrize(("chunk", "is_alive"), [(b"hm", True), (b":", False)])
def test_a_model_that_thinks_unheard_is_alive_and_one_that_says_nothing_is_not(chunk: bytes, is_alive: bool) -> None:
    async def scenario() -> bytes:
        ticks = [asyncio.Event() for _ in range(5)]
        loop = asyncio.get_running_loop()
        for number, tick in enumerate(ticks, start=1):
            loop.call_later(4 * number, tick.set)
        pieces = [piece for tick in ticks for piece in (tick, chunk)]
        deadline = Deadline(LIMITS)
        deadline.saw_head()
        relay = Relay(
            voice=CODEC,
            reply=FakeReply(*pieces, b"said"),
            deadline=deadline,
            pipe=Thinking(),
            ready=b"",
            headers={},
            on_end=lambda error, has_ended: None,
        )
        try:
            return await relay.read()
        finally:
            await relay.aclose()

    sent = run_in_virtual_time(scenario())
    assert (sent == b"said") is is_alive
    assert (b"upstream_timeout" in sent) is not is_alive
