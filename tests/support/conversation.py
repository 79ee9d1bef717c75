"""Conversations in canonical words, short to write."""

from __future__ import annotations

from typing import Any

from iflow_cli_proxy.core.request import ChatRequest, Image, Message, Part, Role, Text, ToolCall, ToolResult

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
