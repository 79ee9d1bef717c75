from typing import get_args

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import (
    Audio,
    ChatRequest,
    File,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)

PARTS = [
    Text(text="a"),
    Image(url="https://example.org/a.png", detail="low"),
    File(name="a.pdf", data="JVBE", media_type="application/pdf"),
    Audio(data="UklG", format="wav"),
    Reasoning(text="hm", seals={"signature": "s"}),
    Refusal(text="no"),
    ToolCall(id="c", name="f", arguments="{}"),
    ToolResult(call_id="c", parts=(Text(text="a"), Image(data="iVBO", media_type="image/png")), is_error=True),
    Opaque(protocol="openai_chat", value={"type": "video_url"}),
]


def test_the_samples_cover_every_part() -> None:
    assert {type(part) for part in PARTS} == set(get_args(Part))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_a_part_survives_being_written_down(part: Part) -> None:
    message = Message(role=Role.USER, parts=(part,), extras={"openai_chat": {"x": 1}})

    assert jsonx.typed(Message)(jsonx.encode(message)) == message


def test_a_request_survives_being_written_down() -> None:
    request = ChatRequest(
        model="m",
        messages=(Message(role=Role.SYSTEM, parts=(Text(text="s"),)),),
        is_stream=True,
        wants_usage=True,
        tools=(ToolSpec(name="f", description="d", parameters={"type": "object"}, is_strict=False),),
        tool_choice=ToolChoice(mode="function", name="f"),
        allows_parallel_calls=False,
        sampling=Sampling(max_tokens=1, temperature=0.0, stop=("a", "b"), n=2),
        thinking=Thinking(is_on=True, effort="low", budget=0),
        response_format={"type": "json_object"},
        user="u",
        metadata={"k": "v"},
        extras={"openai_chat": {"x": [1]}},
    )

    assert jsonx.typed(ChatRequest)(jsonx.encode(request)) == request


def test_what_the_caller_did_not_say_is_not_written() -> None:
    assert jsonx.decode(jsonx.encode(ChatRequest(model="m", messages=()))) == {"model": "m", "messages": []}
