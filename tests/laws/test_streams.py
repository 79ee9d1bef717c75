"""What holds for every stream, however it is cut, split or damaged. Seeds: `tests/support/seeds.py`."""

from __future__ import annotations

import random

import pytest

from iflow_cli_proxy.core import grammar
from iflow_cli_proxy.core.assemble import Assembler, assemble, disassemble
from iflow_cli_proxy.core.events import (
    Choice,
    Ended,
    Event,
    Failed,
    PartKind,
    Reply,
    ReplyPart,
    StopReason,
)
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Codec
from tests.support.goldens import SCENARIOS, TRANSLATED, decode_stream, encode_stream
from tests.support.losses import REPLY_LOSSES, STREAM_LOSSES, reply_with_made_up_ids
from tests.support.seeds import for_each_seed

STREAMS = [
    pytest.param(codec, scenario.read(codec, "sse"), id=f"{scenario.name}-{codec.name}")
    for scenario in SCENARIOS
    for codec in scenario.protocols("sse")
]
EVERY_STREAM = [(codec, scenario.read(codec, "sse")) for scenario in SCENARIOS for codec in scenario.protocols("sse")]
EVERY_CODEC = pytest.mark.parametrize("codec", TRANSLATED, ids=lambda codec: codec.name)
SEVERAL_ANSWERS = ("openai_chat", "openai_completions", "gemini")
"""Protocols in which one stream may carry several answers to one question."""


@pytest.mark.parametrize(("codec", "stream"), STREAMS)
def test_any_split_of_the_bytes_gives_the_same_events(codec: Codec, stream: bytes) -> None:
    whole = decode_stream(codec, [stream])

    def law(rng: random.Random) -> None:
        cuts = sorted(rng.randrange(len(stream) + 1) for _ in range(rng.randrange(1, 12)))
        pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert decode_stream(codec, pieces) == whole

    assert decode_stream(codec, [stream[at : at + 1] for at in range(len(stream))]) == whole
    for_each_seed(40, law)


@pytest.mark.parametrize(("codec", "stream"), STREAMS)
def test_a_truncated_stream_never_looks_finished(codec: Codec, stream: bytes) -> None:
    """It ends in Ended only when nothing of the content is missing."""
    content = _content(decode_stream(codec, [stream]))
    rng = random.Random(0)
    ends = range(len(stream)) if len(stream) < 800 else sorted(rng.sample(range(len(stream)), 400))

    for end in ends:
        events = decode_stream(codec, [stream[:end]])
        grammar.check(events)
        assert isinstance(events[-1], Failed) or _content(events) == content, f"cut at byte {end}"


@pytest.mark.parametrize("codec", [CODECS[name] for name in SEVERAL_ANSWERS], ids=SEVERAL_ANSWERS)
def test_a_stream_that_is_cut_between_the_answers_asked_for_never_looks_finished(codec: Codec) -> None:
    """Encoders write one answer after the other, so a cut may fall between two whole ones."""

    def law(rng: random.Random) -> None:
        choices = tuple(_random_choice(rng, codec.name) for _ in range(rng.randrange(2, 5)))
        stream = encode_stream(codec, disassemble(Reply(id="id", model="m", created=1, choices=choices)))
        whole = _content(decode_stream(codec, [stream], len(choices)))
        assert len(whole) == len(choices)
        for end in (at for at in range(len(stream)) if stream.endswith(b"\n\n", 0, at)):
            events = decode_stream(codec, [stream[:end]], len(choices))
            grammar.check(events)
            assert isinstance(events[-1], Failed) or _content(events) == whole, f"cut at byte {end}"

    for_each_seed(300, law)


@pytest.mark.parametrize(("codec", "stream"), STREAMS)
def test_an_end_marker_ends_a_stream_well_however_many_answers_were_asked_for(codec: Codec, stream: bytes) -> None:
    """Some upstreams ignore the number."""
    if codec.end_marker and codec.end_marker in stream:
        assert decode_stream(codec, [stream], 128) == decode_stream(codec, [stream])


def test_a_damaged_stream_obeys_the_grammar() -> None:
    def law(rng: random.Random) -> None:
        codec, stream = rng.choice(EVERY_STREAM)
        grammar.check(decode_stream(codec, [_damaged(rng, stream)]))

    for_each_seed(20_000, law)


def test_what_was_decoded_from_a_damaged_stream_can_be_encoded_and_ends_the_same_way() -> None:
    def law(rng: random.Random) -> None:
        codec, stream = rng.choice(EVERY_STREAM)
        events = decode_stream(codec, [_damaged(rng, stream)])
        again = decode_stream(codec, [encode_stream(codec, events)])
        grammar.check(again)
        assert type(again[-1]) is type(events[-1])
        losing = STREAM_LOSSES[codec.name]
        assert _content(losing(again)) == _content(losing(events))

    for_each_seed(8_000, law)


@EVERY_CODEC
def test_decoding_an_encoded_reply_gives_it_back_up_to_the_table_of_losses(codec: Codec) -> None:
    def law(rng: random.Random) -> None:
        reply = _random_reply(rng, codec.name)
        assert assemble(disassemble(reply)) == reply
        expected = REPLY_LOSSES[codec.name](reply)

        streamed = assemble(decode_stream(codec, [encode_stream(codec, disassemble(reply))]))
        assert isinstance(streamed, Reply)
        streamed = REPLY_LOSSES[codec.name](streamed)
        assert reply_with_made_up_ids(streamed, like=expected) == expected

    for_each_seed(5000, law)


@EVERY_CODEC
def test_endless_repetition_of_one_frame_ends_when_the_input_does(codec: Codec) -> None:
    for _, stream in EVERY_STREAM:
        frame = stream.split(b"\n\n")[0] + b"\n\n"
        grammar.check(decode_stream(codec, [frame * 50]))


def _content(events: list[Event]) -> tuple[Choice, ...]:
    """The parts and the ends, without what rides along (extras and usage may come after the end)."""
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    return tuple(
        Choice(
            parts=tuple(ReplyPart(kind=part.kind, text=part.text, name=part.name) for part in choice.parts),
            reason=choice.reason,
            word=choice.word,
        )
        for choice in assembler.reply().choices
    )


def _damaged(rng: random.Random, stream: bytes) -> bytes:
    damaged = bytearray(stream)
    for _ in range(rng.choice((1, 1, 1, 2, 5, 30))):
        at = rng.randrange(len(damaged) + 1)
        match rng.randrange(7):
            case 0:
                damaged[at:at] = bytes([rng.randrange(256)])
            case 1:
                del damaged[at : at + rng.choice((1, 2, 40))]
            case 2:
                damaged[at : at + 1] = rng.choice((b'"', b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\r", b"0", b"-"))
            case 3:
                piece = damaged[at : at + rng.randrange(200)]
                damaged[at:at] = piece
            case 4:
                damaged[at : at + 4] = rng.choice((b"null", b"true", b"1e99", b"[[[[", b"\xed\xa0\x80", b"\\ud8"))
            case 5:
                lines = bytes(damaged).split(b"\n\n")
                rng.shuffle(lines)
                damaged = bytearray(b"\n\n".join(lines))
            case _:
                del damaged[at:]
                damaged += rng.choice(EVERY_STREAM)[1][at:]
    return bytes(damaged)


def _random_reply(rng: random.Random, protocol: str) -> Reply:
    usage = Usage(prompt=rng.randrange(1, 9), completion=rng.randrange(9)) if rng.random() < 0.7 else None
    return Reply(
        id=_random_text(rng) or "id",
        model=_random_text(rng) or "model",
        created=rng.randrange(1, 2**32),
        choices=tuple(_random_choice(rng, protocol) for _ in range(rng.choice((1, 1, 1, 2, 3)))),
        usage=usage,
        extras={protocol: {"x_field": rng.choice(([1], "a", {"b": None}))}} if rng.random() < 0.3 else {},
    )


def _random_choice(rng: random.Random, protocol: str) -> Choice:
    reason = rng.choice(list(StopReason))
    parts = [_random_part(rng, number) for number in range(rng.randrange(5))]
    signed = [part for part in parts if part.seals]
    return Choice(
        parts=tuple(part for part in parts if part not in signed[1:]),
        reason=reason if reason is not StopReason.STOP_SEQUENCE else StopReason.END_TURN,
        word="odd" if reason is StopReason.OTHER else "",
        extras={protocol: {"logprobs": {"content": [rng.random()]}}} if rng.random() < 0.3 else {},
    )


def _random_part(rng: random.Random, number: int) -> ReplyPart:
    kind = rng.choice(list(PartKind))
    text = _random_text(rng)
    if kind is PartKind.TOOL_CALL:
        return ReplyPart(kind=kind, text=text, id=rng.choice(("", f"call_{number}")), name=_random_text(rng) or "f")
    seals = {"signature": _random_text(rng) or "s"} if kind is PartKind.REASONING and rng.random() < 0.5 else {}
    return ReplyPart(kind=kind, text=text, seals=seals)


def _random_text(rng: random.Random) -> str:
    alphabet = 'ab "\\\n\r\t{}[]:,\u2028\u00fc你😀\x00\x7f'
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(8)))


def test_the_damage_done_here_is_enough_to_break_streams_and_too_little_to_break_all() -> None:
    """A guard for the laws above: they would prove nothing if every damaged stream failed at once."""
    rng = random.Random(1)
    ends = [type(decode_stream(codec, [_damaged(rng, stream)])[-1]) for codec, stream in EVERY_STREAM * 5]

    assert 0.05 < ends.count(Ended) / len(ends) < 0.95
