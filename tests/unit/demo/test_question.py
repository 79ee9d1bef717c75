from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.demo.question import Question, Tool, count_tokens, read_question
from iflow_cli_proxy.routing.catalog import Model

GLM = Model(id="glm-4.6", thinking="switchable")


def ask(model: Model = GLM, **body: Any) -> Question:
    return read_question({"messages": [{"role": "user", "content": "hi"}], **body}, model)


def test_the_prompt_is_the_last_thing_the_user_said() -> None:
    parts = [{"type": "text", "text": "and this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    question = ask(messages=[{"role": "user", "content": "a"}, {"role": "user", "content": parts}])
    assert (question.prompt, question.has_image) == ("and this?", True)


def test_results_of_tools_count_only_at_the_end() -> None:
    tail = [{"role": "tool", "content": "1"}, {"role": "tool", "content": [{"type": "text", "text": "2"}]}]
    user = {"role": "user", "content": "go"}
    assert ask(messages=[user, {"role": "assistant"}, *tail]).tool_results == ("1", "2")
    assert ask(messages=[*tail, user]).tool_results == ()


@pytest.mark.parametrize(
    "body",
    [
        {"chat_template_kwargs": {"enable_thinking": True}},
        {"enable_thinking": True},
        {"thinking": {"type": "enabled"}},
        {"thinking_mode": True},
        {"reasoning": True},
        {"reasoning_split": True},
    ],
)
def test_each_of_the_vendors_fields_makes_it_think(body: dict[str, Any]) -> None:
    assert ask(**body).thinks
    assert not ask(Model(id="m"), **body).thinks


def test_some_models_always_think_and_none_by_accident() -> None:
    assert ask(Model(id="m", thinking="always")).thinks
    assert not ask(thinking={"type": "disabled"}).thinks
    assert not ask(enable_thinking="yes").thinks


def test_limits_stops_and_choices_are_read() -> None:
    question = ask(max_new_tokens=5, max_tokens=9, stop="x", n=3)
    assert (question.max_tokens, question.stop, question.choices) == (5, ("x",), 3)
    assert ask(n=10_000).choices == 8
    assert ask(max_tokens=9, stop=["a", "", 3]).stop == ("a",)


def test_tools_and_their_choice_are_read() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}, 3, {"type": "other"}]
    question = ask(tools=tools, tool_choice={"type": "function", "function": {"name": "f"}}, parallel_tool_calls=False)
    assert (question.tools, question.tool_choice, question.is_parallel) == (
        (Tool(name="f", schema={"a": 1}),),
        "f",
        False,
    )


@pytest.mark.parametrize(
    ("wish", "schema"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, True),
        ({"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}, {"type": "object"}),
        ({"type": "json_schema"}, True),
    ],
)
def test_a_wish_for_json_is_read(wish: Any, schema: Any) -> None:
    assert ask(response_format=wish).schema == schema


def test_odd_values_count_as_absent() -> None:
    question = read_question({"messages": ["x", {"role": "user", "content": 3}], "tools": 3, "n": "many"}, GLM)
    assert (question.prompt, question.tools, question.choices) == ("", (), 1)


def test_four_characters_are_a_token() -> None:
    assert [count_tokens("a" * length) for length in (0, 1, 4, 5)] == [0, 1, 1, 2]
