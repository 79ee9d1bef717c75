"""What whoever looks sees of a request that runs."""

from __future__ import annotations

import asyncio

import pytest

from iflow_cli_proxy.gateway.pipe import FastPipe, SlowPipe
from iflow_cli_proxy.gateway.progress import Further, Phase, phase_of
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import WholeAnswer
from iflow_cli_proxy.gateway.verdict import Memory
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Codec
from tests.support.exchanges import Bench, bench
from tests.support.fake_transport import FakeReply, FakeTransport, Piece
from tests.support.faults import STOP, piece, whole
from tests.support.goldens import FAILING_WORDS, OPTIONS, SCENARIOS
from tests.support.patience import until

THINKING = piece("hm").replace('"content"', '"reasoning_content"')
TOLD = {one.name: one for one in SCENARIOS}["reasoning_then_text"]
SPEAKERS = [codec for codec in CODECS.values() if codec in TOLD.protocols("sse")]


def events(*datas: str) -> bytes:
    return b"".join(f"data: {data}\n\n".encode() for data in datas)


def streaming(*pieces: Piece, **options: int) -> tuple[Bench, asyncio.Task[bytes]]:
    at = bench(transport=FakeTransport(FakeReply(*pieces, headers={"content-type": "text/event-stream"})), **options)
    return at, asyncio.create_task(at.body(stream=True))


class Standing:
    def __init__(self, characters: int, is_thinking: bool = False) -> None:
        self.characters = characters
        self.is_thinking = is_thinking


async def test_a_stream_waits_thinks_speaks_and_ends() -> None:
    answers, thinks, speaks = asyncio.Event(), asyncio.Event(), asyncio.Event()
    at, asked = streaming(
        answers, events(THINKING), events(THINKING), thinks, events(piece("a" * 400)), speaks, events(STOP, "[DONE]")
    )
    await until(lambda: bool(at.exchanges) and at.exchanges[0].is_asking)
    [exchange] = at.exchanges
    assert phase_of(exchange) is Phase.WAITING

    answers.set()
    await until(lambda: phase_of(exchange) is Phase.THINKING)
    thinks.set()
    await until(lambda: phase_of(exchange) is Phase.STREAMING)
    assert exchange.progress is not None
    assert exchange.progress.characters > 300, "of 400; what every frame has is its envelope"
    speaks.set()
    await asked
    assert len(exchange.attempts) == 1


async def test_who_waits_for_an_account_is_queued() -> None:
    held = asyncio.Event()
    at, first = streaming(events(piece("a")), held, events(STOP, "[DONE]"))
    await until(lambda: bool(at.exchanges) and phase_of(at.exchanges[0]) is Phase.STREAMING)
    second = asyncio.create_task(at.body(stream=True))
    await until(lambda: at.turnstile.waiting == 1)

    assert phase_of(at.exchanges[1]) is Phase.QUEUED
    held.set()
    await asyncio.gather(first, second)


async def test_a_whole_answer_is_streaming_once_it_is_there() -> None:
    held = asyncio.Event()
    at = bench(FakeReply(held, whole()))
    asked = asyncio.create_task(at.answer())
    await until(lambda: bool(at.exchanges) and at.exchanges[0].is_asking)
    assert phase_of(at.exchanges[0]) is Phase.WAITING

    held.set()
    assert isinstance(await asked, WholeAnswer)
    assert (phase_of(at.exchanges[0]), at.exchanges[0].progress) == (Phase.STREAMING, None)


async def test_a_stream_that_is_collected_for_a_json_client_is_seen_too() -> None:
    spoke, ends = asyncio.Event(), asyncio.Event()
    at = bench(FakeReply(events(THINKING), spoke, events(piece("four")), ends, events(STOP, "[DONE]")))
    asked = asyncio.create_task(at.body())
    await until(lambda: bool(at.exchanges) and phase_of(at.exchanges[0]) is Phase.THINKING)
    spoke.set()
    await until(lambda: phase_of(at.exchanges[0]) is Phase.STREAMING)
    progress = at.exchanges[0].progress
    assert progress is not None
    assert progress.characters == len("hm" + "four")
    ends.set()
    await asked


@pytest.mark.parametrize("codec", SPEAKERS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("make", ["fast", "slow"])
def test_both_pipes_tell_thinking_from_speaking_in_every_protocol(make: str, codec: Codec) -> None:
    pipe: FastPipe | SlowPipe
    if make == "fast":
        pipe = FastPipe(codec, codec.tap(codec.decode_error, FAILING_WORDS), shows_usage=True)
    else:
        decoder = codec.stream_decoder(codec.decode_error, FAILING_WORDS)
        encoder = codec.stream_encoder(OPTIONS)
        pipe = SlowPipe(codec.framer(), decoder, encoder, Memory(codec.decode_error).error_of)
    wire = TOLD.read(codec, "sse")
    seen: list[bool] = []
    for at in range(len(wire)):
        before = pipe.characters
        pipe.feed(wire[at : at + 1])
        if pipe.characters != before and pipe.has_content:
            seen.append(pipe.is_thinking)

    first_word = seen.index(False)
    assert first_word, "it began with thinking"
    assert seen[-1] is False


@pytest.mark.parametrize("codec", SPEAKERS, ids=lambda codec: codec.name)
def test_what_is_no_json_is_no_reasoning(codec: Codec) -> None:
    assert not any(codec.carries_reasoning(data) for data in (b"", b"[DONE]", b"{", b"[]", b"null", b"{}"))


def test_an_answer_that_is_asked_on_counts_on() -> None:
    first = Exchange(request_id="req_1", protocol="openai_chat", started_at=0.0, first_byte_s=0.1)
    further = Exchange(request_id="req_1", protocol="openai_chat", started_at=0.0)
    first.progress = Further(Standing(7), further)
    assert (first.progress.characters, phase_of(first)) == (7, Phase.STREAMING)

    further.progress = Standing(5, is_thinking=True)
    assert (first.progress.characters, phase_of(first)) == (12, Phase.THINKING)


FRAMES = [
    ("anthropic", '{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}', True),
    ("anthropic", '{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking"}}', True),
    ("anthropic", '{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}', True),
    ("anthropic", '{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}', True),
    ("anthropic", '{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a"}}', False),
    ("anthropic", '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"1"}}', False),
    ("gemini", '{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}]}', True),
    ("gemini", '{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"a"}]}}]}', False),
    ("gemini", '{"candidates":[{"content":{"parts":[]}}]}', False),
    ("ollama", '{"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}', True),
    ("ollama", '{"message":{"role":"assistant","content":"a","thinking":"hm"},"done":false}', False),
    ("openai_responses", '{"type":"response.reasoning_summary_text.delta","delta":"hm"}', True),
    ("openai_responses", '{"type":"response.output_item.added","item":{"type":"reasoning"}}', True),
    ("openai_responses", '{"type":"response.output_item.added","item":{"type":"function_call"}}', False),
    ("openai_responses", '{"type":"response.output_item.added","item":null}', False),
    ("openai_responses", '{"type":"response.output_text.delta","delta":"a"}', False),
    ("openai_completions", '{"choices":[{"text":"a"}]}', False),
]


@pytest.mark.parametrize(("protocol", "frame", "thinks"), FRAMES)
def test_a_frame_tells_whether_it_is_thinking(protocol: str, frame: str, thinks: bool) -> None:
    assert CODECS[protocol].carries_reasoning(frame.encode()) is thinks
