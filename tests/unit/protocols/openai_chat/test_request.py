"""Requests of strangers and of real agents. Tests named `i7` to `i16` are rows of RELIABILITY, section 3."""

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, InvalidRequest
from iflow_cli_proxy.core.request import (
    ChatRequest,
    File,
    Image,
    Message,
    Opaque,
    Reasoning,
    Role,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.openai_chat import CODEC
from iflow_cli_proxy.protocols.openai_chat.request import decode_request, encode_request, read_envelope

CALL: dict[str, Any] = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
HELLO: dict[str, Any] = {"model": "glm-5", "messages": [{"role": "user", "content": "hi"}]}


def read(body: bytes) -> Envelope:
    return read_envelope(Inbound(protocol="openai_chat", body=body))


def accepted(**more: Any) -> Envelope:
    return read(jsonx.encode(HELLO | more))


def refusal(body: bytes) -> InvalidRequest:
    with pytest.raises(GatewayError) as caught:
        read(body)
    assert type(caught.value) is InvalidRequest
    return caught.value


def refused(**more: Any) -> str | None:
    return refusal(jsonx.encode(HELLO | more)).param


def decoded(*messages: Any, **more: Any) -> ChatRequest:
    return decode_request(accepted(messages=list(messages) or HELLO["messages"], **more))


def again(request: ChatRequest) -> dict[str, Any]:
    fields: dict[str, Any] = jsonx.decode(jsonx.encode(encode_request(request)))
    return fields


# --- rows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b'{"model":"m","messages":[', b"null", b"[]", b"[1]", b'"text"', b"5", b"\xef\xbb\xbf",
        '{"model":"m"}'.encode("utf-16"), '{"model":"m"}'.encode("utf-16-le"), b'{"model":"m\xff","messages":[]}',
        b"\xef\xbb\xbf" * 10_000 + b"{}", b"<html>", b"\x00", b"model=m&messages=x",
    ],
    ids=repr,
)  # fmt: skip
def test_i7_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    assert refusal(body).param is None or body.startswith(b'{"model"')


def test_i7_a_byte_order_mark_passes() -> None:
    assert read(b"\xef\xbb\xbf" + jsonx.encode(HELLO)).model == "glm-5"


@pytest.mark.parametrize("depth", [101, 1_000, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_i8_deep_nesting_is_refused_wherever_it_stands(depth: int, opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    deep = opening * depth + b"1" + closing * depth
    bodies = [deep, b'{"model":"m","messages":[],"x":%b}' % deep, b'{"messages":%b}' % (opening * depth)]

    for body in bodies:
        assert "nested deeper" in refusal(body).message or refusal(body).param in (None, "messages")


def test_i8_the_field_that_nests_too_deep_is_named() -> None:
    deep: Any = []
    for _ in range(150):
        deep = [deep]

    assert refused(metadata={"a": deep}) == "metadata"


def test_l10_a_crowd_of_values_is_refused_and_its_field_is_named() -> None:
    error = refusal(b'{"model":"m","messages":[{"role":"user","content":"a"}],"x":[%b0]}' % (b"[]," * 500_000))

    assert error.param == "x"
    assert "more lists, objects or keys than anybody means" in error.message


def test_l10_a_body_has_a_thousand_fields_at_most() -> None:
    fields = {f"f{number}": 1 for number in range(998)}

    assert read(jsonx.encode(HELLO | fields)).model == "glm-5"
    assert "more than 1000 fields" in refusal(jsonx.encode(HELLO | fields | {"one": 1})).message


@pytest.mark.parametrize(("given", "count"), [({}, 1), ({"n": None}, 1), ({"n": 1}, 1), ({"n": 3}, 3)])
def test_the_number_of_answers_asked_for_is_known_from_either_side(given: dict[str, Any], count: int) -> None:
    body = jsonx.encode(HELLO | given)

    assert read(body).choices == count
    assert CODEC.count_choices(body) == count


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_i9_what_only_looks_like_a_number_is_refused(number: bytes) -> None:
    refusal(b'{"model":"m","messages":[{"role":"user","content":"a"}],"temperature":%b}' % number)


@pytest.mark.parametrize("number", [b"1e400", b"-1e999", b"9" * 5_000, b"-" + b"9" * 5_000])
@pytest.mark.parametrize("field", [b"temperature", b"seed", b"unknown_field"])
def test_i9_i10_a_number_out_of_range_is_refused_by_name(field: bytes, number: bytes) -> None:
    error = refusal(b'{"model":"m","messages":[{"role":"user","content":"a"}],"%b":%b}' % (field, number))

    assert error.param == field.decode()


def test_i11_of_duplicate_keys_the_last_is_checked_and_forwarded() -> None:
    envelope = read(
        b'{"model":"bad\\n","model":"m","messages":[],"messages":[{"role":"user","content":"a"}],"n":5,"n":1}'
    )

    assert envelope.model == "m"
    assert jsonx.decode(jsonx.encode(envelope.fields)) == {"messages": [{"role": "user", "content": "a"}], "n": 1}
    assert envelope.values["n"] == 1


def test_i11_a_bad_last_of_duplicate_keys_is_refused() -> None:
    assert refusal(b'{"model":"m","messages":[{"role":"user","content":"a"}],"messages":5}').param == "messages"


@pytest.mark.parametrize("text", [rb"\ud800", rb"\udfff", rb"a\ud83d b", rb"\ud83d\ud83d"])
def test_i12_a_lone_surrogate_is_refused(text: bytes) -> None:
    refusal(b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % text)


def test_i12_an_escaped_nul_passes_as_it_is() -> None:
    envelope = read(rb'{"model":"m","messages":[{"role":"user","content":"a\u0000b"}]}')

    assert bytes(envelope.fields["messages"]) == rb'[{"role":"user","content":"a\u0000b"}]'
    assert decode_request(envelope).messages[0].parts == (Text(text="a\x00b"),)


@pytest.mark.parametrize(
    "model",
    [
        "", " ", "a\r\nb", "a\n", "a\x00", "../../etc/passwd", "a/../../b", "a" * 257, "x" * 1_000_000, 5, None, ["m"],
        "{{7*191}}", "${x}", "<b>", "a;b", "a\u2028b", "-rf", ".hidden", "a\tb", "a%0d%0a", 'a"b', "a\\b", "a?b", "a#b",
    ],
    ids=lambda model: repr(model)[:20],
)  # fmt: skip
def test_i13_a_name_that_is_none_is_refused(model: Any) -> None:
    assert refused(model=model) == "model"


@pytest.mark.parametrize(
    "model",
    [
        "glm-5",
        "z-ai/glm-4.7",
        "QWen3-4B",
        "llama3.1:8b",
        "hf.co/a/b:Q4_K_M",
        "deepseek/r1:free",
        "模型",
        "a b",
        "m@2026",
    ],
)
def test_i13_names_that_exist_pass(model: str) -> None:
    assert accepted(model=model).model == model


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ("text", "messages"),
        ([], "messages"),
        ({}, "messages"),
        (None, "messages"),
        ([{"role": "user", "content": "a"}] * 100_000, "messages"),
        (["text"], "messages[0]"),
        ([{"role": "user", "content": "a"}, {"content": "a"}], "messages[1].role"),
        ([{"role": "wizard", "content": "a"}], "messages[0].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": {"type": "text"}}], "messages[0].content"),
        ([{"role": "user", "content": ["text"]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"text": "a"}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
         "messages[0].content[0].image_url.url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}], "messages[0].content[0].image_url"),
        ([{"role": "user", "content": [{"type": "file", "file": "a"}]}], "messages[0].content[0].file"),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}],
         "messages[0].content[0].input_audio.format"),
        ([{"role": "assistant", "tool_calls": "x"}], "messages[0].tool_calls"),
        ([{"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]}],
         "messages[0].tool_calls[0].function.name"),
        ([{"role": "assistant", "refusal": 5}], "messages[0].refusal"),
        ([{"role": "assistant", "signature": ["s"]}], "messages[0].signature"),
        ([{"role": "tool", "tool_call_id": 7, "content": "a"}], "messages[0].tool_call_id"),
        ([{"role": "tool", "content": "a"}], "messages[0].tool_call_id"),
        ([{"role": "system"}], "messages[0].content"),
        ([{"role": "developer"}], "messages[0].content"),
        ([{"role": "user", "name": "anna"}], "messages[0].content"),
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([{"role": "assistant"}], "messages[0].content"),
        ([{"role": "assistant", "content": None, "tool_calls": []}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "messages[0].content[0].image_url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}], "messages[0].content[0].image_url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}],
         "messages[0].content[0].image_url.url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": None}}]}],
         "messages[0].content[0].image_url.url"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_i14_messages_of_the_wrong_shape_are_refused_by_path(messages: Any, param: str) -> None:
    assert refused(messages=messages) == param


def test_i14_missing_fields_are_named() -> None:
    assert refusal(b'{"messages":[{"role":"user","content":"a"}]}').param == "model"
    assert refusal(b'{"model":"m"}').param == "messages"
    assert refusal(b'{"model":"m"}').message == "`messages`: Field required."


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("stream", "yes", "stream"),
        ("stream", 1, "stream"),
        ("stream_options", "x", "stream_options"),
        ("stream_options", {"include_usage": "yes"}, "stream_options.include_usage"),
        ("max_tokens", -1, "max_tokens"),
        ("max_tokens", 0, "max_tokens"),
        ("max_tokens", 10**9, "max_tokens"),
        ("max_tokens", True, "max_tokens"),
        ("max_tokens", 1.5, "max_tokens"),
        ("max_completion_tokens", "9", "max_completion_tokens"),
        ("n", 10_000, "n"),
        ("n", 0, "n"),
        ("temperature", "hot", "temperature"),
        ("temperature", -1, "temperature"),
        ("temperature", 99, "temperature"),
        ("presence_penalty", 2.1, "presence_penalty"),
        ("frequency_penalty", -3, "frequency_penalty"),
        ("top_logprobs", 21, "top_logprobs"),
        ("top_logprobs", "many", "top_logprobs"),
        ("top_p", 2, "top_p"),
        ("stop", 5, "stop"),
        ("stop", ["a", 5], "stop[1]"),
        ("stop", ["a"] * 65, "stop"),
        ("tools", {}, "tools"),
        ("tools", [{"function": {"name": "f"}}], "tools[0].type"),
        ("tools", [{"type": "function"}], "tools[0].function"),
        ("tools", [{"type": "custom", "custom": {}}, {"type": "function", "function": None}], "tools[1].function"),
        ("tools", [{"type": "function", "function": {}}], "tools[0].function.name"),
        ("tools", [{"type": "function", "function": {"name": ""}}], "tools[0].function.name"),
        ("tools", [{"type": "function", "function": {"name": "f" * 100_000}}], "tools[0].function.name"),
        ("tools", [{"type": "function", "function": {"name": "f", "parameters": []}}], "tools[0].function.parameters"),
        ("tools", [{"type": "function", "function": {"name": "f"}}] * 10_000, "tools"),
        ("tool_choice", 5, "tool_choice"),
        ("response_format", "json", "response_format"),
        ("metadata", "x", "metadata"),
        ("reasoning_effort", 5, "reasoning_effort"),
        ("user", 5, "user"),
    ],
)  # fmt: skip
def test_i15_settings_of_the_wrong_shape_are_refused_by_path(field: str, value: Any, param: str) -> None:
    assert refused(**{field: value}) == param


@pytest.mark.parametrize(
    "field",
    [
        "api_base",
        "base_url",
        "api_key",
        "api_version",
        "extra_headers",
        "custom_llm_provider",
        "organization",
        "__proto__",
    ],
)
def test_i16_destination_and_credentials_never_come_from_the_body(field: str) -> None:
    assert refused(**{field: "http://evil.example"}) == field
    assert refused(**{field: None}) == field


AGENTS: dict[str, list[dict[str, Any]]] = {
    "OpenCode": [
        {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "Image read"},
        {"role": "user", "content": [
            {"type": "text", "text": "Attached media from tool result:"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]},
    ],
    "qwen-code": [
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": ""}]},
        {"role": "assistant", "content": None, "reasoning_content": "only thought"},
    ],
    "no content at all beside a call": [{"role": "assistant", "tool_calls": [CALL]}],
    "an answer that was empty": [{"role": "assistant", "content": ""}],
    "a refusal": [{"role": "assistant", "content": None, "refusal": "no"}],
    "what calls looked like before tools": [
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "a"},
    ],
    "spoken": [{"role": "assistant", "audio": {"id": "audio_1"}}],
    "URLs in any case": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "HTTPS://example.org/a.png"}}]}
    ],
}  # fmt: skip


@pytest.mark.parametrize("agent", AGENTS)
def test_i14_what_agents_send_passes_as_it_is(agent: str) -> None:
    envelope = accepted(messages=AGENTS[agent])

    assert jsonx.decode(jsonx.encode(envelope.fields))["messages"] == AGENTS[agent]
    assert len(decode_request(envelope).messages) == len(AGENTS[agent])


def test_i15_the_ends_of_every_range_pass() -> None:
    for sign in (-1, 1):
        accepted(
            temperature=sign + 1, presence_penalty=2 * sign, frequency_penalty=2.0 * sign, top_logprobs=10 + 10 * sign
        )


def test_unknown_fields_and_parts_pass_unchanged() -> None:
    parts = [{"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}, "fps": 2}]
    envelope = accepted(messages=[{"role": "user", "content": parts, "x": 1}], enable_search=True)

    fields = jsonx.decode(jsonx.encode(envelope.fields))
    assert fields["messages"][0] == {"role": "user", "content": parts, "x": 1}
    assert fields["enable_search"] is True


def test_explicit_nulls_count_as_absent() -> None:
    nothing = dict.fromkeys(("stream", "stream_options", "max_tokens", "n", "stop", "tools", "tool_choice", "metadata"))

    assert decode_request(accepted(**nothing)) == decode_request(accepted())


def test_the_envelope_says_what_routing_needs_and_keeps_the_rest_as_bytes() -> None:
    envelope = read(
        b'{"model":"m","stream":true,"stream_options":{"include_usage":true},"seed": 7 ,'
        b'"messages":[{"role":"user","content":""}]}'
    )

    assert (envelope.model, envelope.is_stream, envelope.wants_usage) == ("m", True, True)
    assert bytes(envelope.fields["seed"]) == b"7"
    assert "model" not in envelope.fields
    assert "stream" not in envelope.fields


# --- meaning ------------------------------------------------------------------------------------------------------


def test_settings_are_read() -> None:
    request = decoded(
        max_tokens=5, max_completion_tokens=6, temperature=0, top_p=0.5, top_k=3, presence_penalty=1,
        frequency_penalty=-1, seed=0, stop="END", n=2, reasoning_effort="high", user="u", parallel_tool_calls=False,
    )  # fmt: skip

    assert request.sampling == Sampling(
        max_tokens=6,
        temperature=0,
        top_p=0.5,
        top_k=3,
        presence_penalty=1,
        frequency_penalty=-1,
        seed=0,
        stop=("END",),
        n=2,
    )
    assert request.thinking == Thinking(is_on=True, effort="high")
    assert (request.user, request.allows_parallel_calls) == ("u", False)


def test_no_effort_is_thinking_switched_off_and_silence_is_neither() -> None:
    assert decoded(reasoning_effort="none").thinking == Thinking(is_on=False, effort="none")
    assert decoded().thinking == Thinking()


@pytest.mark.parametrize(
    ("choice", "read_as"),
    [
        ("auto", ToolChoice(mode="auto")),
        ("required", ToolChoice(mode="required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(mode="function", name="f")),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, None),
        ({"type": "function", "function": "f"}, None),
    ],
)
def test_tool_choices_are_read_and_what_we_have_no_word_for_returns_unchanged(choice: Any, read_as: Any) -> None:
    request = decoded(tool_choice=choice)

    assert request.tool_choice == read_as
    assert again(request)["tool_choice"] == choice


def test_tools_that_are_no_functions_return_unchanged_with_the_others() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}]
    request = decoded(tools=tools)

    assert [tool.name for tool in request.tools] == ["f"]
    assert again(request)["tools"] == tools


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "s"},
        {"role": "user", "content": "a", "name": "anna"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:text/plain,a"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "data:;base64,AAAA"}}]},
        {"role": "user", "content": "a", "cache_control": {"type": "ephemeral"}},
        {"role": "assistant", "content": "a", "refusal": "no"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]},
        {"role": "assistant", "content": "a", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f"}}]},
        {"role": "assistant", "content": "a", "reasoning_content": "r", "signature": "s"},
        {"role": "tool", "tool_call_id": "c", "content": "a"},
        {"role": "tool", "tool_call_id": "c", "content": [{"type": "file", "file": {"file_id": "f"}}]},
    ],
    ids=lambda message: repr(message)[:60],
)  # fmt: skip
def test_a_message_survives_the_canonical_form(message: dict[str, Any]) -> None:
    (back,) = again(decoded(message))["messages"]

    assert back == message


@pytest.mark.parametrize(
    ("message", "becomes"),
    [
        ({"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "user", "content": "a"}),
        ({"role": "user", "content": []}, {"role": "user", "content": ""}),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://example.org/a.png"}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]},
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
            },
        ),
        ({"role": "function", "name": "f", "content": "a"}, {"role": "tool", "tool_call_id": "f", "content": "a"}),
    ],
)
def test_other_spellings_become_the_usual_one(message: dict[str, Any], becomes: dict[str, Any]) -> None:
    assert again(decoded(message))["messages"] == [becomes]


def test_parts_are_told_apart() -> None:
    (message,) = decoded(
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
                {"type": "video_url", "video_url": {}},
            ],
        }
    ).messages

    assert message.parts == (
        Image(data="AAAA", media_type="image/png", detail="low"),
        File(name="a.pdf", data="BBBB", media_type="application/pdf"),
        Opaque(protocol="openai_chat", value={"type": "video_url", "video_url": {}}),
    )


def test_a_turn_from_elsewhere_with_results_and_text_becomes_one_message_for_each() -> None:
    """Anthropic puts tool results and the next words of the user into one message."""
    results = tuple(ToolResult(call_id=f"c{number}", parts=(Text(text=str(number)),)) for number in range(2))
    turn = Message(role=Role.USER, parts=(*results, Text(text="go on")))

    assert again(ChatRequest(model="m", messages=(turn,)))["messages"] == [
        {"role": "tool", "tool_call_id": "c0", "content": "0"},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "user", "content": "go on"},
    ]


def test_parts_seals_and_extras_of_another_protocol_stay_there() -> None:
    turn = Message(
        role=Role.ASSISTANT,
        parts=(
            Reasoning(text="r", seals={"encrypted": "e"}),
            Opaque(protocol="anthropic", value={"type": "server_tool_use"}),
            Text(text="a"),
            ToolCall(id="c", name="f", arguments="{}"),
        ),
        extras={"anthropic": {"cache_control": {}}},
    )

    assert again(ChatRequest(model="m", messages=(turn,), extras={"anthropic": {"x": 1}})) == {
        "messages": [
            {
                "role": "assistant",
                "content": "a",
                "reasoning_content": "r",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            }
        ]
    }


@pytest.mark.parametrize(
    ("said", "written"), [("No such file.", "Error: No such file."), ("Error: no", "Error: no"), ("", "Error: ")]
)
def test_that_a_call_failed_is_told_in_its_result(said: str, written: str) -> None:
    result = ToolResult(call_id="c", parts=(Text(text=said),), is_error=True)
    request = ChatRequest(model="m", messages=(Message(role=Role.TOOL, parts=(result,)),))

    assert encode_request(request)["messages"][0]["content"] == written
