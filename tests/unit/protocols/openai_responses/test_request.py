from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.request import ChatRequest, Message, Role, Sampling, Text, Thinking, ToolSpec
from iflow_cli_proxy.protocols.base import Envelope
from iflow_cli_proxy.protocols.openai_chat import CODEC as CHAT
from iflow_cli_proxy.protocols.openai_responses import CODEC
from iflow_cli_proxy.protocols.openai_responses.request import decode_request, encode_request, read_envelope
from tests.support.goldens import inbound

TOOL = {"type": "function", "name": "f"}


def envelope(**fields: Any) -> Envelope:
    return read_envelope(inbound(CODEC, jsonx.encode({"model": "m", "input": "Hi"} | fields)))


def decoded(**fields: Any) -> ChatRequest:
    return decode_request(envelope(**fields))


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        envelope(**fields)
    return caught.value


def test_an_envelope_has_what_routes_a_request() -> None:
    found = envelope(stream=True, store=False)

    assert (found.model, found.is_stream, found.wants_usage, found.choices) == ("m", True, True, 1)
    assert not envelope().wants_usage
    assert jsonx.decode(jsonx.encode(found.fields)) == {"input": "Hi", "store": False}
    assert found.values == {"model": "m", "input": "Hi", "stream": True, "store": False}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 5}, "model"),
        ({"model": "../x"}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"base_url": "http://x"}, "base_url"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"previous_response_id": ""}, "previous_response_id"),
    ],
)
def test_what_is_wrong_or_cannot_be_had_is_refused_by_its_path(fields: dict[str, Any], param: str) -> None:
    assert refusal(**fields).param == param


def test_what_is_said_of_keeping_is_no_mistake_as_long_as_it_asks_for_nothing() -> None:
    envelope(background=False, conversation=None, prompt=None, store=None)
    envelope(input=[{"type": "item_reference", "id": "msg_1"}], previous_response_id="resp_1")


def test_a_string_is_what_the_user_says_and_instructions_are_the_system_prompt() -> None:
    assert [(message.role, message.parts) for message in decoded(instructions="Be brief.").messages] == [
        (Role.SYSTEM, (Text(text="Be brief."),)),
        (Role.USER, (Text(text="Hi"),)),
    ]


def test_sampling_thinking_and_the_rest_are_read() -> None:
    found = decoded(
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        reasoning={"effort": "high", "summary": "auto"},
        metadata={"a": "b"},
        safety_identifier="u-1",
        tools=[TOOL],
        parallel_tool_calls=False,
    )

    assert found.sampling == Sampling(max_tokens=9, temperature=0.5, top_p=0.9)
    assert found.thinking == Thinking(is_on=True, effort="high")
    assert (found.metadata, found.user, found.allows_parallel_calls) == ({"a": "b"}, "u-1", False)


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        (None, Thinking()),
        ({"summary": "auto"}, Thinking()),
        ({"effort": None}, Thinking()),
        ({"effort": "none"}, Thinking(is_on=False, effort="none")),
        ({"effort": "minimal"}, Thinking(is_on=True, effort="minimal")),
    ],
)
def test_how_much_to_think(reasoning: Any, expected: Thinking) -> None:
    assert decoded(reasoning=reasoning).thinking == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "name": "n", "schema": {}, "strict": True},
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}},
        ),
    ],
)
def test_the_form_of_the_text(form: dict[str, Any], expected: Any) -> None:
    assert decoded(text={"format": form}).response_format == expected


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [TOOL], "tool_choice": {"type": "file_search"}}, "tool_choice"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"top_logprobs": 5}, "top_logprobs"),
    ],
)
def test_what_no_upstream_word_says_is_noted(fields: dict[str, Any], path: str) -> None:
    assert [note.path for note in decoded(**fields).notes] == [path]


def test_what_only_the_vendor_needs_is_left_out_in_silence() -> None:
    quiet = {
        "store": True, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "client_metadata": {"a": 1},
        "truncation": "disabled", "service_tier": "auto", "stream_options": {"include_obfuscation": False},
    }  # fmt: skip

    assert decoded(**quiet).notes == ()


def test_a_choice_goes_with_the_last_tool() -> None:
    found = decoded(tools=[{"type": "web_search"}], tool_choice="auto", parallel_tool_calls=True)

    assert (found.tools, found.tool_choice, found.allows_parallel_calls) == ((), None, None)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"instructions": "Be brief.", "input": [{"role": "system", "content": "x"}]},
        {"instructions": ""},
        {"input": [{"role": "system", "content": "x"}, {"role": "user", "content": "Hi"}]},
        {"input": [{"role": "user", "content": "Hi"}, {"type": "compaction_trigger"}]},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "metadata": {}, "user": ""},
        {"tools": [TOOL, {"type": "web_search"}], "tool_choice": {"type": "web_search"}},
        {"tools": [{"type": "custom", "name": "c"}, {"type": "namespace", "name": "n", "tools": [TOOL]}]},
        {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [TOOL]}},
        {"reasoning": {"effort": "low", "summary": "auto"}, "text": {"format": {"type": "text"}, "verbosity": "low"}},
        {"text": {"format": {"type": "json_object"}}, "include": [], "store": False, "truncation": "auto"},
        {"safety_identifier": "u", "user": "v", "max_output_tokens": None, "previous_response_id": "resp_1"},
    ],
)
def test_a_request_survives_the_canonical_form(fields: dict[str, Any]) -> None:
    body = {"input": "Hi"} | fields

    assert encode_request(decoded(**fields)) == {name: body[name] for name in body if name != "instructions"} | (
        {"instructions": body["instructions"]} if body.get("instructions") else {}
    )


def test_a_request_of_another_protocol_asks_the_upstream_to_keep_nothing() -> None:
    request = ChatRequest(
        model="m",
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="Be brief."),)),
            Message(role=Role.USER, parts=(Text(text="Hi"),)),
            Message(role=Role.SYSTEM, parts=(Text(text="In French."),)),
        ),
        tools=(ToolSpec(name="f", parameters={}),),
        thinking=Thinking(is_on=True, effort="low"),
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    )

    assert encode_request(request) == {
        "instructions": "Be brief.",
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "In French."}]},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {}}],
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
        "store": False,
    }


def test_what_chats_have_the_same_word_for_reaches_them() -> None:
    said = {
        "service_tier": "flex", "text": {"verbosity": "low"}, "prompt_cache_key": "k", "safety_identifier": "s",
        "top_logprobs": 2,
    }  # fmt: skip
    sent = CHAT.encode_request(decoded(**said))

    assert {name: sent[name] for name in sent if name not in ("messages", "user")} == {
        "service_tier": "flex", "verbosity": "low", "prompt_cache_key": "k", "safety_identifier": "s",
        "logprobs": True, "top_logprobs": 2,
    }  # fmt: skip
    assert CHAT.encode_request(decoded(include=["message.output_text.logprobs"]))["logprobs"] is True
    assert CHAT.encode_request(decoded(service_tier="auto", text={"format": {"type": "text"}})).keys() == {"messages"}


def test_a_client_may_ask_for_its_oldest_turns_to_be_dropped() -> None:
    def read(**fields: Any) -> bool:
        return CODEC.read_envelope(inbound(CODEC, jsonx.encode({"model": "m", "input": "x"} | fields))).may_be_shortened

    assert read(truncation="auto")
    assert not read(truncation="disabled")
    assert not read()
