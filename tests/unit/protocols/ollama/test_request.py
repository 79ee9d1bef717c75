from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import ChatRequest, Image, Message, Role, Sampling, Text, ToolChoice, ToolSpec
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.ollama.request import decode_request, encode_request, read_envelope

MESSAGES = [{"role": "user", "content": "hi"}]
PNG = "iVBORw0KGgoAAAA="


def envelope(body: Json, form: str = "chat") -> Envelope:
    return read_envelope(Inbound(protocol="ollama", body=jsonx.encode(body), path={"form": form}))


@pytest.mark.parametrize(("stream", "is_stream"), [({}, True), ({"stream": None}, True), ({"stream": False}, False)])
def test_a_stream_is_what_is_not_declined(stream: dict[str, Json], is_stream: bool) -> None:
    found = envelope({"model": "m", "messages": MESSAGES, **stream})

    assert (found.model, found.is_stream, found.flavor) == ("m", is_stream, "chat")
    assert jsonx.decode(jsonx.encode(found.fields)) == {"messages": MESSAGES}


@pytest.mark.parametrize(
    ("body", "form", "param"),
    [
        ({"messages": MESSAGES}, "chat", "model"),
        ({"model": "m", "messages": "hi"}, "chat", "messages"),
        ({"model": "m", "prompt": 3}, "generate", "prompt"),
        ({"model": "m", "base_url": "x"}, "generate", "base_url"),
        ([], "chat", None),
        ({"model": "m", "messages": [{"role": "user", "images": ["https://x/a.png"]}]}, "chat", "messages[0]"),
        ({"model": "m", "images": [PNG, "HTTP://x/a.png"]}, "generate", None),
        ({"model": "m", "options": {"seed": "1"}}, "chat", "options.seed"),
    ],
)
def test_what_is_wrong_is_named(body: Json, form: str, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        envelope(body, form)

    assert caught.value.param == param


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"format": "json", "think": True, "keep_alive": "5m"},
        {"options": {"num_predict": 5, "num_ctx": 4096}},
        {"options": {"num_predict": -1, "stop": "x"}},
        {"options": {"num_predict": 128.0, "top_k": 40.0, "seed": 1.5}},
        {"options": {}},
        {"think": "minimal", "format": ""},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}, {"type": "web_search"}]},
    ],
)
def test_a_chat_comes_back_as_it_was(more: dict[str, Any]) -> None:
    body = {"messages": MESSAGES, **more}

    assert encode_request(decode_request(envelope({"model": "m", **body}))) == body


def test_a_bare_generation_is_a_conversation_of_one_prompt() -> None:
    body = {"model": "m", "prompt": "hi", "system": "be", "images": [PNG], "options": {"seed": 1}, "raw": False}

    request = decode_request(envelope(body, "generate"))

    assert request.messages == (
        Message(role=Role.SYSTEM, parts=(Text(text="be"),)),
        Message(role=Role.USER, parts=(Text(text="hi"), Image(data=PNG, media_type="image/png"))),
    )
    assert encode_request(request) == {
        "messages": [{"role": "system", "content": "be"}, {"role": "user", "content": "hi", "images": [PNG]}],
        "options": {"seed": 1},
    }


def test_what_a_bare_generation_says_in_vain_is_told() -> None:
    body = {"model": "m", "prompt": "a", "suffix": "b", "context": [1], "template": "{{ .Prompt }}"}

    request = decode_request(envelope(body, "generate"))

    assert [note.path for note in request.notes] == ["suffix", "context", "template"]


def test_nothing_to_say_is_no_message() -> None:
    assert decode_request(envelope({"model": "m"})).messages == ()
    assert decode_request(envelope({"model": "m", "prompt": ""}, "generate")).messages == ()


def test_a_call_that_is_forbidden_is_not_offered() -> None:
    forbidding = ChatRequest(
        model="m",
        messages=(),
        tools=(ToolSpec(name="f"),),
        tool_choice=ToolChoice(mode="none"),
        sampling=Sampling(seed=1),
    )

    assert encode_request(forbidding) == {"messages": [], "options": {"seed": 1}}
