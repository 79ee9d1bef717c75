"""Every scenario in every protocol it has a file for: files decode to the events, and the events survive encoding.

`pytest tests/golden --regold` rewrites `events.jsonl` and the replies from the `openai_chat.sse` files.
"""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import grammar, jsonx
from iflow_cli_proxy.core.assemble import assemble, disassemble
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Ended, Extra, Failed, Reply, UsageReported
from iflow_cli_proxy.core.stage import Chain, run
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Codec, EncodeOptions, Seen
from tests.support.goldens import (
    FAILING_WORDS,
    OPTIONS,
    SCENARIOS,
    TRANSLATED,
    Scenario,
    decode_stream,
    encode_stream,
    inbound,
    reframe,
    write_events,
    write_json,
)
from tests.support.losses import (
    LOSSES,
    REPLY_LOSSES,
    STREAM_LOSSES,
    reply_with_made_up_ids,
    with_made_up_ids,
)

SOURCE = "openai_chat"


def pairs(kind: str) -> list[Any]:
    return [
        pytest.param(scenario, codec, id=f"{scenario.name}-{codec.name}")
        for scenario in SCENARIOS
        for codec in scenario.protocols(kind)
    ]


@pytest.fixture(autouse=True, scope="module")
def _regold(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--regold"):
        return
    codec = CODECS[SOURCE]
    for scenario in SCENARIOS:
        if codec not in scenario.protocols("sse"):
            continue
        events = decode_stream(codec, [scenario.read(codec, "sse")])
        write_events(scenario, events)
        reply = assemble(events)
        if isinstance(reply, Reply):
            write_json(scenario.path(codec, "reply.json"), codec.encode_reply(reply, OPTIONS))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_is_whole(scenario: Scenario) -> None:
    about = (scenario.folder / "ABOUT.md").read_text("utf-8")
    streams = {codec.name for codec in scenario.protocols("sse")}

    assert "omposed on 20" in about or "ecorded on 20" in about
    assert streams
    assert streams == {codec.name for codec in scenario.protocols("request.json")}
    assert not scenario.is_failure or not scenario.protocols("reply.json")
    assert scenario.is_failure or streams == {codec.name for codec in scenario.protocols("reply.json")}
    grammar.check(scenario.events())


def test_every_protocol_says_what_it_loses() -> None:
    assert LOSSES.keys() == STREAM_LOSSES.keys() == REPLY_LOSSES.keys() == {codec.name for codec in TRANSLATED}


@pytest.mark.parametrize(("scenario", "codec"), pairs("sse"))
def test_a_stream_decodes_to_the_events(scenario: Scenario, codec: Codec) -> None:
    """What a protocol cannot say it says in no stream of its own either."""
    decoded, expected = decode_stream(codec, [scenario.read(codec, "sse")]), scenario.events()
    if codec.name == SOURCE:
        assert decoded == expected
    losing = STREAM_LOSSES[codec.name]
    expected = losing(expected)
    assert with_made_up_ids(losing(decoded), like=expected) == expected


@pytest.mark.parametrize(("scenario", "codec"), pairs("sse"))
def test_a_stream_read_for_another_protocol_lacks_nothing_but_extras(scenario: Scenario, codec: Codec) -> None:
    stages = Chain(codec.framer(), codec.stream_decoder(codec.decode_error, FAILING_WORDS, keeps_extras=False))
    whole = decode_stream(codec, [scenario.read(codec, "sse")])

    read = run(stages, [scenario.read(codec, "sse")])
    assert [event for event in read if not isinstance(event, Extra)] == [
        event for event in whole if not isinstance(event, Extra)
    ]


@pytest.mark.parametrize(("scenario", "codec"), pairs("sse"))
def test_encoded_events_decode_to_the_same_events(scenario: Scenario, codec: Codec) -> None:
    expected = STREAM_LOSSES[codec.name](scenario.events())

    again = decode_stream(codec, [encode_stream(codec, scenario.events())])

    assert with_made_up_ids(STREAM_LOSSES[codec.name](again), like=expected) == expected


@pytest.mark.parametrize(("scenario", "codec"), pairs("sse"))
def test_an_encoded_stream_has_an_end_marker_exactly_when_it_is_good(scenario: Scenario, codec: Codec) -> None:
    wire = encode_stream(codec, scenario.events())

    if not codec.end_marker:
        assert isinstance(decode_stream(codec, [wire])[-1], Failed) is scenario.is_failure
        return
    assert wire.count(codec.end_marker) == (0 if scenario.is_failure else 1)
    assert wire.endswith(codec.end_marker) is not scenario.is_failure


@pytest.mark.parametrize(("scenario", "codec"), pairs("reply.json"))
def test_a_whole_reply_is_the_stream_collected(scenario: Scenario, codec: Codec) -> None:
    collected = assemble(scenario.events())
    assert isinstance(collected, Reply)
    expected = REPLY_LOSSES[codec.name](collected)
    body = scenario.read(codec, "reply.json")

    reply = codec.decode_reply(body, codec.decode_error, FAILING_WORDS)

    assert reply_with_made_up_ids(reply, like=expected) == expected
    assert jsonx.decode(codec.encode_reply(collected, OPTIONS)) == jsonx.decode(body)
    assert codec.read_reply(body, codec.decode_error, FAILING_WORDS) == expected.usage


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_taking_a_reply_apart_and_collecting_it_again_changes_nothing(scenario: Scenario) -> None:
    reply = assemble(scenario.events())
    if isinstance(reply, Failed):
        assert reply == scenario.events()[-1]
        return
    events = list(disassemble(reply))

    grammar.check(events)
    assert assemble(events) == reply


@pytest.mark.parametrize(("scenario", "codec"), pairs("request.json"))
def test_a_request_survives_the_canonical_form(scenario: Scenario, codec: Codec) -> None:
    body = jsonx.decode(scenario.read(codec, "request.json"))
    envelope = codec.read_envelope(inbound(codec, jsonx.encode(body)))
    request = codec.decode_request(envelope)

    fields = codec.encode_request(request)

    assert fields == jsonx.without(body, "model", "stream", "stream_options")
    assert jsonx.decode(jsonx.encode(envelope.fields)) == jsonx.without(body, "model", "stream")
    assert (envelope.model, envelope.is_stream) == (body["model"], body.get("stream", True))


@pytest.mark.parametrize(("scenario", "codec"), pairs("sse"))
def test_what_is_passed_through_means_what_is_translated(scenario: Scenario, codec: Codec) -> None:
    """Fast equals slow: the same events, the same usage, and the same verdict on success."""
    tap = codec.tap(codec.decode_error, FAILING_WORDS)
    passed: list[bytes] = []
    failure, is_done, has_content = None, False, False
    for frame in run(codec.framer(), [scenario.read(codec, "sse")]):
        try:
            seen = tap.look(frame.data)
        except GatewayError as error:
            failure = error
            break
        if seen is Seen.DONE:
            is_done = True
            break
        has_content = has_content or (seen is Seen.CONTENT and codec.carries_content(frame.data))
        passed.append(reframe(codec, frame))
    events = decode_stream(codec, [scenario.read(codec, "sse")])
    is_good = failure is None and (tap.is_finished or (is_done and has_content))

    assert is_good is isinstance(events[-1], Ended)
    if isinstance(events[-1], Failed) and failure is not None:
        assert (failure.kind, failure.message) == (events[-1].kind, events[-1].message)
    assert tap.usage == next((event.usage for event in reversed(events) if isinstance(event, UsageReported)), None)
    assert decode_stream(codec, passed)[: len(events) - 1] == events[:-1]


@pytest.mark.parametrize(
    ("scenario", "codec"), [pair for pair in pairs("sse") if pair.values[1].name == SOURCE], ids=lambda one: one.name
)
def test_merged_thinking_is_text_and_nothing_else_changes(scenario: Scenario, codec: Codec) -> None:
    merging = EncodeOptions(id="x", merges_reasoning=True)
    collected = assemble(scenario.events())
    merged = assemble(decode_stream(codec, [encode_stream(codec, scenario.events(), merging)]))
    if isinstance(collected, Failed) or isinstance(merged, Failed):
        assert type(merged) is type(collected)
        return

    for before, after in zip(collected.choices, merged.choices, strict=True):
        text = "\n\n".join(part.text for part in before.parts if part.kind in ("reasoning", "text") and part.text)
        joined = "".join(part.text for part in after.parts if part.kind == "text")
        assert joined.replace("\n\n", "") == text.replace("\n\n", "")
        assert not [part for part in after.parts if part.kind == "reasoning"]
        assert after.reason == before.reason
