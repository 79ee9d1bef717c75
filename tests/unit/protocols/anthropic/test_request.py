"""Requests. Whole conversations are in `tests/golden`; here are the cases that have a rule of their own."""

import time
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import (
    ChatRequest,
    Image,
    Message,
    Reasoning,
    Role,
    Sampling,
    Text,
    ToolCall,
    ToolResult,
)
from iflow_cli_proxy.protocols.anthropic.request import decode_request, encode_request, read_envelope
from iflow_cli_proxy.protocols.base import Envelope, Inbound

CACHED = {"cache_control": {"type": "ephemeral"}}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
SAID: dict[str, Any] = {"type": "text", "text": "go on"}


def envelope(*messages: dict[str, Any], **fields: Any) -> Envelope:
    body = {"model": "m", "messages": messages or [{"role": "user", "content": "hi"}], **fields}
    return read_envelope(Inbound(protocol="anthropic", body=jsonx.encode(body)))


def decode(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    return decode_request(envelope(*messages, **fields))


def again(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return encode_request(decode(*messages, **fields))


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


# --- the envelope -------------------------------------------------------------------------------------------------


def test_the_envelope_says_what_routing_needs() -> None:
    found = envelope(stream=True, max_tokens=5, metadata={"user_id": "u"})

    assert (found.model, found.is_stream, found.wants_usage, found.choices) == ("m", True, True, 1)
    assert found.fields.keys() == {"messages", "max_tokens", "metadata"}
    assert not envelope().is_stream


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ([{"text": "no type"}], "messages[0].content[0].type"),
        (["text"], "messages[0].content[0]"),
        ([SAID, {"type": "text"}], "messages[0].content[1].text"),
        ([{**RESULT, "content": [{"type": "image"}]}], "messages[0].content[0].content[0].source"),
        (
            [{"type": "search_result", "content": [{"type": "text"}]}],
            "messages[0].content[0].content[0].text",
        ),
        (
            [{"type": "document", "source": {"type": "content", "content": [{"type": "text"}]}}],
            "messages[0].content[0].source.content[0].text",
        ),
    ],
)
def test_a_bad_block_is_named_by_its_path(content: Any, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        envelope(user(content))

    assert caught.value.param == path


def test_a_bad_system_prompt_and_a_word_of_the_gateways_own_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        envelope(system=[{"type": "text"}])
    assert caught.value.param == "system[0].text"

    with pytest.raises(InvalidRequest) as caught:
        envelope(api_base="https://elsewhere/")
    assert caught.value.param == "api_base"


# --- messages -----------------------------------------------------------------------------------------------------


def test_results_come_first_each_in_a_message_and_the_rest_of_the_turn_behind_them() -> None:
    messages = decode(user([SAID, RESULT, {**RESULT, "tool_use_id": "t2"}])).messages

    assert [message.role for message in messages] == [Role.TOOL, Role.TOOL, Role.USER]
    assert [part.call_id for message in messages for part in message.parts if isinstance(part, ToolResult)] == [
        "t1",
        "t2",
    ]
    assert messages[2].parts == (Text(text="go on"),)


@pytest.mark.parametrize(
    "messages",
    [
        [user("hi")],
        [user([SAID])],
        [user([])],
        [user("")],
        [user([{**SAID, **CACHED}, SAID])],
        [user("a"), user("b")],
        [user([RESULT]), user("go on")],
        [user([RESULT, SAID]), user("and on")],
        [user([RESULT]), user([RESULT])],
        [user([{**RESULT, "is_error": False, **CACHED}, {**SAID, **CACHED}])],
        [user([{**RESULT, "content": []}])],
        [user([{**RESULT, "content": [{"type": "document", "source": {"type": "file", "file_id": "f"}}]}])],
        [{"role": "system", "content": "early"}, user("hi")],
        [user("hi"), {"role": "system", "content": [SAID]}, {"role": "assistant", "content": "prefilled"}],
        [user("hi", id="m1"), {"role": "assistant", "content": [], "id": "m2"}],
        [user([RESULT, SAID], id="m1")],
        [{"role": "assistant", "content": [{"type": "thinking", "thinking": "t"}, {"type": "text", "text": ""}]}],
        [{"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "name": "n", "input": {}}]}],
        [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}, **CACHED}]}],
    ],
)
def test_any_conversation_survives_word_for_word(messages: list[dict[str, Any]]) -> None:
    assert again(*messages)["messages"] == messages


@pytest.mark.parametrize("system", ["Be brief.", [SAID], [{**SAID, **CACHED}], [SAID, SAID]])
def test_any_system_prompt_survives_word_for_word(system: Any) -> None:
    first = decode(system=system).messages[0]

    assert first.role is Role.SYSTEM
    assert again(system=system)["system"] == system


def test_an_empty_system_prompt_is_none() -> None:
    given: list[Any] = ["", [], None]
    for nothing in given:
        assert decode(system=nothing).messages[0].role is Role.USER


def test_a_system_message_keeps_its_place_among_the_others() -> None:
    roles = [message.role for message in decode(user("a"), {"role": "system", "content": "b"}, user("c")).messages]

    assert roles == [Role.USER, Role.SYSTEM, Role.USER]


BILLING = "x-anthropic-billing-header: cc_version=2.1.197; cc_entrypoint=sdk-cli; cch=00000;"


@pytest.mark.parametrize(
    ("system", "kept"),
    [
        ([{"type": "text", "text": BILLING}, {**SAID, **CACHED}], [{**SAID, **CACHED}]),
        ([{"type": "text", "text": f"{BILLING}\nRules."}, SAID], [{"type": "text", "text": "Rules."}, SAID]),
        (f"{BILLING}\nRules.", "Rules."),
        ([{"type": "text", "text": BILLING}], None),
        (BILLING, None),
    ],
)
def test_what_claude_code_bills_by_is_left_out_with_a_note(system: Any, kept: Any) -> None:
    request = decode(system=system)

    assert request.notes == (Note("system", "the billing header was left out: it changes with every request"),)
    assert encode_request(request).get("system") == kept
    assert "billing" not in str(request.messages)


def test_thinking_given_back_stands_in_the_assistants_turn_in_order() -> None:
    blocks = [
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "t", "signature": "s"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
    ]

    assert decode({"role": "assistant", "content": blocks}).messages == (
        Message(
            role=Role.ASSISTANT,
            parts=(
                Reasoning(seals={"redacted": "d"}),
                Reasoning(text="t", seals={"signature": "s"}),
                Text(text="a"),
                ToolCall(id="t1", name="f", arguments='{"x":1}'),
            ),
        ),
    )


# --- settings -----------------------------------------------------------------------------------------------------


def test_settings_find_their_words() -> None:
    request = decode(
        max_tokens=9, temperature=0.5, top_p=0.9, top_k=4, stop_sequences=["END"], metadata={"user_id": "u"}
    )

    assert request.sampling == Sampling(max_tokens=9, temperature=0.5, top_p=0.9, top_k=4, stop=("END",))
    assert request.user == "u"
    assert request.extras == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"service_tier": "auto"},
        {"metadata": {"user_id": "u", "other": 1}},
        {"temperature": 1.5},
        {"stop_sequences": []},
        {"thinking": {"type": "between_tools"}},
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 5}}},
        {"output_format": {"type": "json_schema", "schema": {"type": "object"}}},
        {"tools": [{"name": "f"}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}], "tool_choice": {"type": "auto"}},
        {"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}], "tool_choice": {"type": "none", "x": 1}},
        {"invented_tomorrow": {"a": [None]}},
    ],
)
def test_what_has_no_word_of_ours_survives_in_extras(fields: dict[str, Any]) -> None:
    request = decode(**fields)

    assert jsonx.without(encode_request(request), "messages") == fields
    assert request.extras["anthropic"]


def test_a_field_that_says_nothing_is_left_out() -> None:
    assert again(temperature=None, tools=None, metadata=None, thinking=None) == {"messages": [user("hi")]}


@pytest.mark.parametrize("name", ["mcp_servers", "container", "context_management"])
def test_what_only_anthropic_does_is_noted(name: str) -> None:
    assert decode(**{name: {"edits": []}}).notes == (Note(name, "left out: only Anthropic does this"),)


def test_a_hosted_tool_alone_leaves_neither_tools_nor_choice() -> None:
    request = decode(
        tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}], tool_choice={"type": "auto"}
    )

    assert (request.tools, request.tool_choice) == ((), None)
    assert [note.path for note in request.notes] == ["tools[0]", "tool_choice"]


# --- from elsewhere -----------------------------------------------------------------------------------------------


def test_a_conversation_from_elsewhere_is_written_in_anthropics_way() -> None:
    request = ChatRequest(
        model="m",
        messages=(
            Message(role=Role.SYSTEM, parts=(Text(text="a"),), extras={"openai_chat": {"role": "developer"}}),
            Message(role=Role.SYSTEM, parts=(Text(text="b"),)),
            Message(role=Role.USER, parts=(Text(text="c"),), name="anna"),
            Message(role=Role.ASSISTANT, parts=(Text(text=""), ToolCall(id="t1", name="f"))),
            Message(role=Role.TOOL, parts=(ToolResult(call_id="t1", parts=(Text(text="x"), Image(url="https://i"))),)),
            Message(role=Role.TOOL, parts=(ToolResult(call_id="t2"),)),
            Message(role=Role.USER, parts=(Text(text="d"),)),
            Message(role=Role.SYSTEM, parts=(Text(text="e"),)),
        ),
        sampling=Sampling(temperature=1.7, seed=5),
    )

    fields = encode_request(request)

    assert fields["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert [(turn["role"], len(turn["content"])) for turn in fields["messages"]] == [
        ("user", 1),
        ("assistant", 1),
        ("user", 3),
        ("system", 1),
    ]
    assert [block["type"] for block in fields["messages"][2]["content"]] == ["tool_result", "tool_result", "text"]
    assert fields["temperature"] == 1.0
    assert "seed" not in fields


def test_l10_thousands_of_results_in_one_turn_take_no_time() -> None:
    blocks = [{"type": "tool_result", "tool_use_id": "a"} for _ in range(20_000)]
    body = jsonx.encode({"model": "m", "messages": [{"role": "user", "content": blocks}]})

    began = time.process_time()
    request = decode_request(read_envelope(Inbound(protocol="anthropic", body=body)))

    assert len(request.messages) == 20_000
    assert time.process_time() - began < 2.0
