from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.providers.iflow.body import build_body
from iflow_cli_proxy.providers.iflow.catalog import output_limit

MESSAGES = [{"role": "user", "content": "hi"}]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


NAMED = {"type": "function", "function": {"name": "f"}}


def build(model: str, given: dict[str, Any] | None = None, **more: Any) -> Any:
    """The body as iFlow would read it; fields are handed over as bytes, as the fast path does."""
    fields = {"messages": MESSAGES, **(given or {})}
    raw = {name: jsonx.Raw(jsonx.encode(value)) for name, value in fields.items()}
    body = build_body(model, raw, is_stream=more.pop("is_stream", False), output_limit=output_limit, **more)
    plain = build_body(model, fields, is_stream=body.get("stream", False), output_limit=output_limit, **more)
    decoded = jsonx.decode(jsonx.encode(body))
    assert decoded == jsonx.decode(jsonx.encode(plain)), "bytes and plain values must mean the same"
    return decoded


def test_the_example_of_the_reference_comes_out() -> None:
    assert build("glm-4.7", is_stream=True) == {
        "model": "glm-4.7",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 1,
        "top_p": 0.95,
        "chat_template_kwargs": {"enable_thinking": True},
        "max_new_tokens": 32000,
    }


def test_a_whole_answer_is_asked_for_without_a_stream_key() -> None:
    body = build("qwen3-max", {"stream": False, "stream_options": {"include_usage": True}})
    assert "stream" not in body
    assert "stream_options" not in body


def test_a_stream_may_go_without_usage() -> None:
    assert "stream_options" not in build("qwen3-max", is_stream=True, wants_usage=False)


LIMITS = [
    ("glm-5", 32000, None), ("glm-4.7", 32000, None), ("glm-4.6-exp", 32000, None), ("glm-4.5v", 32000, None),
    ("deepseek-v3.2-chat", 8192, 8192), ("deepseek-v3.2-reasoner", 64000, None), ("deepseek-v3.2", 8192, 8192),
    ("deepseek-v3.1", 8192, 8192), ("deepseek-v3", 8192, 8192), ("deepseek-r1", 32000, 32000),
    ("kimi-k2.5", 32768, 32768), ("kimi-k2-thinking", 32000, None), ("kimi-k2-0905", 32000, None),
    ("kimi-k2", 32000, None), ("minimax-m2.5", 64000, None), ("qwen3-coder-plus", 64000, None),
    ("qwen3-max", 8192, None), ("qwen3-max-preview", 32000, None), ("qwen3-vl-plus", 8192, None),
    ("qwen-vl-max", 8192, None), ("qwen3-32b", 8192, None), ("qwen3-235b-a22b-thinking-2507", 8192, None),
    ("QWen3-4B", 8192, None), ("iFlow-ROME-30BA3B", 64000, None), ("mimo-v2", 64000, None),
    ("tstars2.0", 8000, None), ("nobody-knows-me", 8000, None),
]  # fmt: skip


@pytest.mark.parametrize(("model", "max_new_tokens", "max_tokens"), LIMITS)
def test_each_model_gets_its_output_limit(model: str, max_new_tokens: int, max_tokens: int | None) -> None:
    body = build(model)
    assert body["max_new_tokens"] == max_new_tokens
    assert body.get("max_tokens") == max_tokens


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"max_tokens": 100}, 100),
        ({"max_completion_tokens": 100}, 100),
        ({"max_completion_tokens": 100, "max_tokens": 200}, 100),
        ({"max_new_tokens": 50, "max_tokens": 200}, 50),
        ({"max_tokens": 1_000_000}, 32000),
        ({"max_tokens": None}, 32000),
        ({"max_tokens": 0, "max_completion_tokens": -1}, 32000),
        ({"max_tokens": True}, 32000),
    ],
)
def test_the_clients_limit_is_renamed_and_capped(given: dict[str, Any], sent: int) -> None:
    body = build("glm-5", given)
    assert body["max_new_tokens"] == sent
    assert "max_tokens" not in body
    assert "max_completion_tokens" not in body


def test_thinking_turns_deepseek_chat_into_the_reasoner_with_its_limit() -> None:
    body = build("deepseek-v3.2-chat", {"reasoning_effort": "high"})
    assert body["model"] == "deepseek-v3.2-reasoner"
    assert (body["thinking_mode"], body["reasoning"], body["max_new_tokens"]) == (True, True, 64000)
    assert "max_tokens" not in body
    assert "reasoning_effort" not in body
    low = build("deepseek-v3.2-chat", {"reasoning_effort": "low"})
    assert (low["model"], low["thinking_mode"], "reasoning" in low) == ("deepseek-v3.2-reasoner", True, False)
    assert build("deepseek-v3.2-chat", {"reasoning_effort": "none"})["model"] == "deepseek-v3.2-chat"


def test_the_wish_in_the_models_name_wins_over_the_body() -> None:
    body = build("glm-4.7", {"reasoning_effort": "high"}, wish="off")
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_wish_wins_over_the_setting() -> None:
    body = build("glm-4.6", {"reasoning_effort": "medium"}, default_thinking="off")
    assert body["chat_template_kwargs"] == {"enable_thinking": True}
    assert "chat_template_kwargs" not in build("glm-4.6")


@pytest.mark.parametrize(
    "vendor",
    [
        {"chat_template_kwargs": {"enable_thinking": False, "clear_thinking": False}},
        {"enable_thinking": True},
        {"thinking": {"type": "disabled"}},
        {"thinking_mode": False},
        {"reasoning": True},
        {"reasoning_split": False},
    ],
)
def test_the_vendors_own_fields_are_untouched_and_switch_the_rule_off(vendor: dict[str, Any]) -> None:
    body = build("glm-5", {**vendor, "reasoning_effort": "high"})
    thinking = {"chat_template_kwargs", "enable_thinking", "thinking", "thinking_mode", "reasoning", "reasoning_split"}
    assert {name: value for name, value in body.items() if name in thinking} == vendor


def test_anthropics_thinking_is_translated_and_not_passed_on() -> None:
    body = build("glm-4.7", {"thinking": {"type": "enabled", "budget_tokens": 4096}})
    assert "thinking" not in body
    assert body["chat_template_kwargs"] == {"enable_thinking": True}


@pytest.mark.parametrize(
    ("model", "given", "sent"),
    [
        ("qwen3-max", {}, {"temperature": 0.6}),
        ("qwen3-max", {"temperature": 0}, {"temperature": 0}),
        ("qwen3-max", {"top_p": 0.5}, {"top_p": 0.5}),
        ("qwen3-max", {"temperature": 1.5, "top_p": 0.5}, {"temperature": 1.5, "top_p": 0.5}),
        ("qwen3-max", {"top_k": 5}, {"temperature": 0.6, "top_k": 5}),
        ("qwen3-max", {"temperature": None, "top_p": None}, {"temperature": 0.6}),
        ("glm-5", {}, {"temperature": 1, "top_p": 0.95}),
        ("glm-5", {"temperature": 0.2}, {"temperature": 0.2, "top_p": 0.95}),
        ("iFlow-ROME-30BA3B", {}, {"temperature": 0.7, "top_p": 0.8, "top_k": 20}),
        ("iFlow-ROME-30BA3B", {"top_k": 5}, {"temperature": 0.7, "top_p": 0.8, "top_k": 5}),
    ],
)
def test_the_clients_sampling_wins_over_what_the_model_wants(
    model: str, given: dict[str, Any], sent: dict[str, Any]
) -> None:
    body = build(model, given)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == sent


def test_kimi_gets_the_only_sampling_it_accepts() -> None:
    body = build("kimi-k2.5", {"temperature": 0.2, "top_p": 0.1, "n": 3, "presence_penalty": 1})
    assert "temperature" not in body
    assert (body["top_p"], body["n"], body["presence_penalty"], body["frequency_penalty"]) == (0.95, 1, 0, 0)


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ({"tools": TOOLS, "reasoning_effort": "high"}, "auto"),
        ({"tools": TOOLS, "reasoning_effort": "high", "tool_choice": "none"}, "none"),
        ({"tools": TOOLS, "reasoning_effort": "high", "tool_choice": "auto"}, "auto"),
        ({"tools": TOOLS, "reasoning_effort": "high", "tool_choice": "required"}, "auto"),
        ({"tools": TOOLS, "reasoning_effort": "high", "tool_choice": NAMED}, "auto"),
        ({"tools": TOOLS, "reasoning_effort": "high", "tool_choice": None}, "auto"),
        ({"tools": TOOLS, "thinking": {"type": "enabled", "x": 1}, "tool_choice": "required"}, "auto"),
        ({"tools": TOOLS, "thinking": {"type": "disabled"}, "tool_choice": "required"}, "required"),
        ({"tools": TOOLS, "reasoning_effort": "none", "tool_choice": NAMED}, NAMED),
        ({"tools": TOOLS, "reasoning_effort": "none"}, None),
        ({"tools": TOOLS, "tool_choice": "required"}, "required"),
        ({"tools": TOOLS}, None),
        ({"reasoning_effort": "high", "tool_choice": "required"}, None),
    ],
)
def test_thinking_kimi_with_tools_is_told_that_it_may_choose(given: dict[str, Any], choice: Any) -> None:
    assert build("kimi-k2.5", given).get("tool_choice") == choice


@pytest.mark.parametrize("tools", [[], None])
def test_an_empty_list_of_tools_is_left_out_with_all_that_belongs_to_it(tools: Any) -> None:
    body = build("glm-5", {"tools": tools, "tool_choice": "auto", "parallel_tool_calls": True})
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(body)


def test_tools_are_passed_on() -> None:
    body = build("glm-5", {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False})
    assert (body["tools"], body["tool_choice"], body["parallel_tool_calls"]) == (TOOLS, "required", False)


def test_the_repair_model_never_thinks() -> None:
    given = {"thinking_mode": True, "reasoning": True, "chat_template_kwargs": {"enable_thinking": True}}
    body = build("QWen3-4B", {**given, "extend_fields": {"a": 1}})
    assert not set(given) & set(body)
    assert body["extend_fields"] == {"a": 1, "chat_template_kwargs": {"enable_thinking": False}}


def test_the_vendors_own_deployments_get_the_session_in_the_body() -> None:
    assert build("glm-5", internal_session="session-1")["extend_fields"] == {"sessionId": "session-1"}
    assert "extend_fields" not in build("glm-5")


def test_fields_nobody_here_knows_go_on() -> None:
    body = build("glm-5", {"seed": 3, "enable_search": True})
    assert (body["seed"], body["enable_search"]) == (3, True)


@pytest.mark.parametrize("stop", ["x", ["x", "y"]])
def test_stop_sequences_are_passed_on(stop: Any) -> None:
    assert build("glm-5", {"stop": stop})["stop"] == stop


@pytest.mark.parametrize("stop", [[], None, ""])
def test_no_stop_sequences_are_no_field(stop: Any) -> None:
    assert "stop" not in build("glm-5", {"stop": stop})


def test_what_clients_tell_about_themselves_stays_here() -> None:
    told = {
        "metadata": {"user_id": "me"},
        "session_id": "s",
        "conversation_id": "c",
        "user": "me",
        "store": False,
        "prompt_cache_key": "k",
    }
    assert build("glm-5", told) == build("glm-5")


def test_messages_are_copied_without_being_parsed() -> None:
    fields = {"messages": jsonx.Raw(b"[not json]"), "tools": jsonx.Raw(b"[" + b"not json " * 10 + b"]")}
    body = build_body("glm-5", fields, is_stream=True, output_limit=output_limit)
    assert b'"messages":[not json]' in jsonx.encode(body)


def test_the_request_itself_is_not_changed() -> None:
    fields = {"messages": MESSAGES, "temperature": 0.2, "extend_fields": {"a": 1}, "tools": []}
    before = {**fields, "extend_fields": {"a": 1}}
    build_body("QWen3-4B", fields, is_stream=True, output_limit=output_limit, internal_session="s")
    assert fields == before
