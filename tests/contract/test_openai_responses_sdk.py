"""What the official SDK makes of our bytes: every golden stream and reply, and the errors."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from openai import APIStatusError, BadRequestError, OpenAI, RateLimitError
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.assemble import assemble
from iflow_cli_proxy.core.errors import ContextOverflow, Overloaded, RateLimited
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_responses import CODEC
from tests.support.goldens import OPTIONS, SCENARIOS, Scenario, encode_stream, inbound

GOOD = [scenario for scenario in SCENARIOS if scenario.path(CODEC, "reply.json").exists()]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def answering(body: bytes, kind: str, status: int = 200, headers: dict[str, str] | None = None) -> OpenAI:
    headers = {"content-type": kind} | (headers or {})
    transport = httpx2.MockTransport(lambda request: httpx2.Response(status, content=body, headers=headers))
    return OpenAI(api_key="x", base_url="http://t/v1", max_retries=0, http_client=httpx2.Client(transport=transport))


def of(scenario: Scenario) -> Reply:
    reply = assemble(scenario.events())
    assert isinstance(reply, Reply)
    return reply


def text_of(reply: Reply) -> str:
    return "".join(part.text for part in reply.choices[0].parts if part.kind == "text")


@pytest.mark.parametrize("scenario", GOOD, ids=lambda scenario: scenario.name)
def test_its_stream_helper_reads_a_stream_to_the_end(scenario: Scenario) -> None:
    expected = of(scenario)
    wire = encode_stream(CODEC, scenario.events())

    with answering(wire, CODEC.stream_type).responses.stream(model="m", input="x") as stream:
        events = list(stream)

    last: Any = events[-1]
    assert last.type in ("response.completed", "response.incomplete")
    assert [event.sequence_number for event in events if hasattr(event, "sequence_number")] == list(range(len(events)))
    assert last.response.output_text == text_of(expected)
    assert [item.name for item in last.response.output if item.type == "function_call"] == [
        part.name for part in expected.choices[0].parts if part.kind == "tool_call"
    ]


@pytest.mark.parametrize("scenario", GOOD, ids=lambda scenario: scenario.name)
def test_every_event_and_every_reply_is_valid_by_its_types(scenario: Scenario) -> None:
    asked = jsonx.decode(scenario.read(CODEC, "request.json"))
    options = EncodeOptions(id="chatcmpl-1", created=1, model="m", asked=asked)

    for frame in run(Framer(), [encode_stream(CODEC, scenario.events(), options)]):
        event = jsonx.decode(frame.data)
        if event["type"] in ("response.incomplete", "response.completed", "response.created", "response.in_progress"):
            _without_words_of_others(event["response"])
        EVENT.validate_python(event)
        assert event["type"] == frame.event
    response = jsonx.decode(CODEC.encode_reply(of(scenario), options))
    _without_words_of_others(response)
    Response.model_validate(response)


def _without_words_of_others(response: dict[str, Any]) -> None:
    """Its types list the reasons that OpenAI gives, and an upstream may have another."""
    if response["incomplete_details"] not in (None, {"reason": "max_output_tokens"}, {"reason": "content_filter"}):
        response["incomplete_details"] = None


def test_a_custom_tool_call_comes_with_its_plain_input() -> None:
    asked = {"tools": [{"type": "custom", "name": "exec_command"}]}
    (scenario,) = [one for one in GOOD if one.name == "codex_turn"]
    wire = encode_stream(CODEC, scenario.events(), EncodeOptions(asked=asked))

    with answering(wire, CODEC.stream_type).responses.stream(model="m", input="x") as stream:
        items = stream.get_final_response().output

    assert [(item.type, item.input) for item in items if item.type == "custom_tool_call"] == [
        ("custom_tool_call", "ls")
    ]


def test_a_failure_on_the_way_is_the_end_of_its_stream() -> None:
    envelope = CODEC.read_envelope(inbound(CODEC, b'{"model":"m","input":"x","stream":true}'))
    (scenario,) = [one for one in GOOD if one.name == "plain_text"]
    voice = CODEC.voice(envelope)
    encoder = voice.stream_encoder(OPTIONS)
    begun = b"".join(frame for event in scenario.events()[:5] for frame in encoder.feed(event))
    wire = begun + voice.ping + voice.stream_error(Overloaded("Too busy."))

    with answering(wire, CODEC.stream_type).responses.stream(model="m", input="x") as stream:
        events: list[Any] = list(stream)

    assert events[-1].type == "response.failed"
    assert events[-1].response.error.message == "Too busy."
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_a_failure_before_anything_was_said_is_a_stream_as_well() -> None:
    envelope = CODEC.read_envelope(inbound(CODEC, b'{"model":"m","input":"x","stream":true}'))
    wire = CODEC.ping + CODEC.voice(envelope).stream_error(Overloaded("Too busy."))

    with answering(wire, CODEC.stream_type).responses.stream(model="m", input="x") as stream:
        kinds = [event.type for event in stream]

    assert kinds == ["response.created", "response.in_progress", "response.failed"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RateLimited("Slow down.", retry_after_s=7), RateLimitError),
        (ContextOverflow("Too long."), BadRequestError),
    ],
)
def test_errors_are_its_own_exceptions(error: RateLimited, expected: type[APIStatusError]) -> None:
    reply = CODEC.encode_error(error, "req_1")
    client = answering(reply.body, "application/json", reply.status, dict(reply.headers))

    with pytest.raises(expected) as caught:
        client.responses.create(model="m", input="x")

    assert error.message in caught.value.message
