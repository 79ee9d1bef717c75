from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.providers.qwen.body import build_body

MESSAGES = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def build(model: str = "qwen3-coder-plus", *, is_stream: bool = False, **more: Any) -> dict[str, Any]:
    """The body for these fields, which must be the same whether they come as bytes or decoded."""
    options = {
        name: more.pop(name) for name in ("wish", "default_thinking", "is_switchable", "wants_usage") if name in more
    }
    fields = {"messages": MESSAGES, **more}
    raw = {name: jsonx.Raw(jsonx.encode(value)) for name, value in fields.items()}
    bodies = [
        build_body(model, given, is_stream=is_stream, output_limit=1000, session="s-1", **options)
        for given in (fields, raw)
    ]
    first, second = (jsonx.decode(jsonx.encode(body)) for body in bodies)
    assert first == second
    return dict(first)


def test_nothing_is_added_but_what_the_client_program_says_of_the_prompt() -> None:
    body = build()
    assert set(body) == {"model", "messages", "metadata"}
    assert body["messages"][0]["role"] == "system"
    assert body["metadata"] == {"sessionId": "s-1", "promptId": "s-1########0"}


def test_the_prompt_is_counted_and_the_clients_own_metadata_stays_here() -> None:
    messages = [*MESSAGES, {"role": "assistant", "content": "yes?"}, *MESSAGES]
    body = build(messages=messages, metadata={"secret": 1}, user="me", store=True)
    assert body["metadata"] == {"sessionId": "s-1", "promptId": "s-1########1"}
    assert not {"user", "store"} & set(body)


def test_a_stream_asks_for_its_usage() -> None:
    body = build(is_stream=True, stream_options={"include_usage": False, "x": 1})
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True, "x": 1})
    assert "stream_options" not in build(is_stream=True, wants_usage=False)
    assert "stream_options" not in build(stream_options={"include_usage": True})


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"max_tokens": 10}, 10),
        ({"max_tokens": 5000}, 1000),
        ({"max_completion_tokens": 20}, 20),
        ({"max_new_tokens": 30}, 30),
        ({"max_tokens": None, "max_completion_tokens": 20}, 20),
        ({"max_tokens": 10, "max_completion_tokens": 20}, 10),
    ],
)
def test_the_limit_is_cut_to_what_the_model_writes(asked: dict[str, Any], sent: int) -> None:
    body = build(**asked)
    assert body["max_tokens"] == sent
    assert not {"max_completion_tokens", "max_new_tokens"} & set(body)


def test_what_the_client_sent_is_sent_even_when_it_is_zero_or_unknown() -> None:
    sent = {"temperature": 0, "seed": 0, "stop": ["x"], "n": 2, "top_k": 20, "response_format": {"type": "json_object"}}
    body = build(**sent, a_field_of_tomorrow={"x": 1})
    assert {name: body[name] for name in sent} == sent
    assert body["a_field_of_tomorrow"] == {"x": 1}


def test_wishes_for_thinking_are_translated_and_not_sent_on() -> None:
    body = build(reasoning_effort="low", reasoning={"effort": "sideways"}, thinking=None)
    assert (body["enable_thinking"], body["thinking_budget"]) == (True, 1024)
    assert not {"reasoning_effort", "reasoning", "thinking"} & set(body)
    assert build(wish={"enable_thinking": False})["enable_thinking"] is False
    assert build(default_thinking="off", is_switchable=True)["enable_thinking"] is False


def test_tools_go_with_what_belongs_to_them_or_not_at_all() -> None:
    body = build(tools=TOOLS, tool_choice="auto", parallel_tool_calls=True)
    assert (body["tools"], body["tool_choice"], body["parallel_tool_calls"]) == (TOOLS, "auto", True)
    assert not {"tools", "tool_choice"} & set(build(tools=[], tool_choice="auto"))


@pytest.mark.parametrize("model", ["coder-model", "vision-model", "qwen-vl-max", "qwen3-vl-plus", "qwen3.5-plus"])
def test_models_that_see_are_shown_every_detail(model: str) -> None:
    assert build(model)["vl_high_resolution_images"] is True
    assert build(model, vl_high_resolution_images=False)["vl_high_resolution_images"] is False
    assert "vl_high_resolution_images" not in build("qwen3-coder-plus")
