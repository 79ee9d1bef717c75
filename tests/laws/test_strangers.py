"""Whatever a stranger sends, client or upstream, only errors of our tree come out. Seeds: `tests/support/seeds.py`."""

from __future__ import annotations

import copy
import random
from contextlib import suppress
from typing import Any

import pytest

from iflow_cli_proxy.core import grammar, jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Failed
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.base import Codec, Seen
from tests.support.goldens import FAILING_WORDS, OPTIONS, SCENARIOS, TRANSLATED, inbound
from tests.support.seeds import for_each_seed

EVERY_CODEC = pytest.mark.parametrize("codec", TRANSLATED, ids=lambda codec: codec.name)

SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 1.5, 2**31, 2**63, -(2**70), 10**4000, 1e300, "", "stop", "text", "function", "\x00",
    "\u2028", "{{7*191}}", "../..", "x" * 3000, "data:image/png;base64,", "network_error",
)  # fmt: skip
KEYS = (
    "model", "messages", "role", "content", "type", "text", "image_url", "url", "tools", "function", "name",
    "arguments", "tool_calls", "tool_choice", "choices", "delta", "message", "index", "finish_reason", "usage", "error",
    "code",
    "prompt_tokens", "prompt_tokens_details", "created", "id", "stream_options", "stop", "file", "input_audio", "x",
)  # fmt: skip


def _documents(codec: Codec, kind: str) -> list[Any]:
    bodies = {scenario.read(codec, kind) for scenario in SCENARIOS if scenario.path(codec, kind).exists()}
    return [jsonx.decode(body) for body in sorted(bodies)]


def _frames(codec: Codec) -> list[Any]:
    wires = [scenario.read(codec, "sse") for scenario in SCENARIOS if scenario.path(codec, "sse").exists()]
    found = []
    for frame in (frame for wire in wires for frame in run(codec.framer(), [wire])):
        with suppress(JsonError):  # end markers, and the half event of a golden that is cut
            found.append(jsonx.decode(frame.data))
    return found


def _random_value(rng: random.Random, depth: int = 0) -> Any:
    match rng.randrange(6 if depth < 4 else 4):
        case 4:
            return [_random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        case 5:
            return {rng.choice(KEYS): _random_value(rng, depth + 1) for _ in range(rng.randrange(5))}
        case _:
            return rng.choice(SCALARS)


def _bent(rng: random.Random, document: Any) -> Any:
    """A copy in which a few places, anywhere, hold something else or nothing."""
    document = copy.deepcopy(document)
    for _ in range(rng.randrange(1, 4)):
        holder, key = _random_place(rng, document)
        if holder is None:
            return _random_value(rng)
        if isinstance(holder, dict) and rng.random() < 0.2:
            holder.pop(key, None)
        elif isinstance(holder, dict) and rng.random() < 0.2:
            holder[rng.choice(KEYS)] = _random_value(rng)
        else:
            holder[key] = _random_value(rng)
    return document


def _random_place(rng: random.Random, document: Any) -> tuple[Any, Any]:
    holder, key, value = None, None, document
    while isinstance(value, dict | list) and value and rng.random() < 0.85:
        holder = value
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        value = value[key]
    return holder, key


def _bytes(rng: random.Random, value: Any) -> bytes:
    data = bytearray(jsonx.encode(value))
    if rng.random() < 0.15:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


@EVERY_CODEC
def test_no_request_raises_anything_but_our_errors(codec: Codec) -> None:
    documents = _documents(codec, "request.json")
    taken = 0

    def law(rng: random.Random) -> None:
        nonlocal taken
        body = _bytes(rng, _bent(rng, rng.choice(documents)))
        with suppress(GatewayError):
            envelope = codec.read_envelope(inbound(codec, body))
            request = codec.decode_request(envelope)
            jsonx.decode_strict(jsonx.encode(codec.encode_request(request)))
            jsonx.decode_strict(jsonx.encode(envelope.fields))
            taken += 1

    for_each_seed(25_000, law)
    assert taken > 0


@EVERY_CODEC
def test_no_reply_raises_anything_but_our_errors_and_both_readers_agree(codec: Codec) -> None:
    documents = _documents(codec, "reply.json")
    taken = 0

    def law(rng: random.Random) -> None:
        nonlocal taken
        body = _bytes(rng, _bent(rng, rng.choice(documents)))
        try:
            reply = codec.decode_reply(body, codec.decode_error, FAILING_WORDS)
        except GatewayError:
            with pytest.raises(GatewayError):
                codec.read_reply(body, codec.decode_error, FAILING_WORDS)
            return
        assert codec.read_reply(body, codec.decode_error, FAILING_WORDS) == reply.usage
        again = codec.decode_reply(codec.encode_reply(reply, OPTIONS), codec.decode_error)
        assert len(again.choices) == len(reply.choices)
        taken += 1

    for_each_seed(6000, law)
    assert taken > 0


@EVERY_CODEC
def test_no_frame_makes_a_stream_decoder_raise(codec: Codec) -> None:
    documents = _frames(codec)
    failed = 0

    def law(rng: random.Random) -> None:
        nonlocal failed
        decoder = codec.stream_decoder(codec.decode_error, FAILING_WORDS)
        frames = [Frame(_bytes(rng, _bent(rng, rng.choice(documents)))) for _ in range(rng.randrange(1, 6))]
        events = run(decoder, frames)
        grammar.check(events)
        run(codec.stream_encoder(OPTIONS), events)
        failed += isinstance(events[-1], Failed)

    for_each_seed(5000, law)
    assert failed > 0


@EVERY_CODEC
def test_no_frame_makes_a_tap_raise_anything_but_our_errors(codec: Codec) -> None:
    documents = _frames(codec)

    def law(rng: random.Random) -> None:
        tap = codec.tap(codec.decode_error, FAILING_WORDS)
        for _ in range(3):
            data = _bytes(rng, _bent(rng, rng.choice(documents)))
            with suppress(GatewayError):
                assert isinstance(tap.look(data), Seen)
                assert codec.carries_content(data) in (True, False)

    for_each_seed(5000, law)


@EVERY_CODEC
def test_no_error_body_makes_the_reader_raise_and_what_it_finds_can_be_written(codec: Codec) -> None:
    sample = {"error": {"message": "m", "type": "server_error", "param": None, "code": None}}

    def law(rng: random.Random) -> None:
        error = codec.decode_error(_bent(rng, sample) if rng.random() < 0.8 else _random_value(rng))
        if error is not None:
            assert codec.decode_error(jsonx.decode(codec.encode_error(error, "req_1").body)) is not None
            assert 400 <= codec.encode_error(error, "req_1").status < 600

    for_each_seed(3000, law)


@EVERY_CODEC
def test_random_bytes_are_no_request_and_no_reply(codec: Codec) -> None:
    def law(rng: random.Random) -> None:
        body = rng.randbytes(rng.randrange(60))
        with pytest.raises(GatewayError):
            codec.read_envelope(inbound(codec, body))
        with pytest.raises(GatewayError):
            codec.decode_reply(body, codec.decode_error)
        grammar.check(run(codec.stream_decoder(codec.decode_error, FAILING_WORDS), [Frame(body)]))

    for_each_seed(1000, law)
