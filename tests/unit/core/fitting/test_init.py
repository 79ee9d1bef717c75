from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core.fitting import fitted, refuses
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.request import (
    ChatRequest,
    Image,
    Message,
    Part,
    Role,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
)

PNG = Image(data="AAAA", media_type="image/png")
LONG = "mcp__" + "x" * 80


def request(*messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=messages, **fields)


def said(role: Role, *parts: Part) -> Message:
    return Message(role=role, parts=parts)


def text(words: str) -> Text:
    return Text(text=words)


def call(name: str = "look", call_id: str = "c1") -> Message:
    return said(Role.ASSISTANT, ToolCall(id=call_id, name=name, arguments="{}"))


def result(*parts: Text | Image, call_id: str = "c1") -> Message:
    return said(Role.TOOL, ToolResult(call_id=call_id, parts=parts))


USER = said(Role.USER, text("hi"))


def test_what_every_upstream_takes_is_left_alone() -> None:
    asked = request(said(Role.SYSTEM, text("s")), USER, call(), result(text("r")), tools=(ToolSpec(name="look"),))

    fit = fitted(asked, Profile())

    assert fit.request == asked
    assert (fit.names, fit.notes) == ({}, ())


@pytest.mark.parametrize(
    "profile",
    [Profile(late_system=False), Profile(refused_schema_words=("format",)), Profile(wants_reasoning_back=True)],
)
def test_an_upstream_that_refuses_something_is_known(profile: Profile) -> None:
    assert refuses(profile)
    assert not refuses(Profile(tools=True, json_schema=True))
