from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.answers import Answer, answer
from iflow_cli_proxy.demo.question import read_question
from iflow_cli_proxy.routing.catalog import Model

GLM = Model(id="glm-4.6", thinking="switchable")
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
TIME = {"type": "function", "function": {"name": "current_time", "parameters": {"type": "object", "properties": {}}}}


def say(prompt: str = "hi", *, seed: int = 0, index: int = 0, **body: Any) -> Answer:
    messages = body.pop("messages", [{"role": "user", "content": prompt}])
    return answer(read_question({"messages": messages, **body}, GLM), seed=seed, index=index)


def test_the_same_question_gets_the_same_answer_and_another_seed_another() -> None:
    assert say("hi") == say("hi")
    assert len({say("hi", seed=seed).text for seed in range(20)}) > 1
    assert len({say("hi", index=index).text for index in range(8)}) > 1


def test_the_text_depends_on_the_prompt_and_its_language() -> None:
    assert "the sea" in say("tell me about the sea").text
    assert "你刚才说" in say("你好吗").text


def test_it_thinks_only_when_told_to() -> None:
    assert say().reasoning == ""
    assert "hi" in say(enable_thinking=True).reasoning


@pytest.mark.parametrize(
    ("prompt", "more", "called"),
    [
        ("What is the weather in Oslo?", {}, ["get_weather"]),
        ("Use the tools", {}, ["get_weather"]),
        ("请调用工具", {}, ["get_weather"]),
        ("Tell me a story", {}, []),
        ("Tell me a story", {"tool_choice": "required"}, ["get_weather"]),
        ("Tell me a story", {"tool_choice": TIME}, ["current_time"]),
        ("What is the weather?", {"tool_choice": "none"}, []),
        ("Weather and time, both please", {}, ["get_weather", "current_time"]),
        ("Weather and time, both please", {"parallel_tool_calls": False}, ["get_weather"]),
    ],
)  # fmt: skip
def test_tools_are_called_when_the_prompt_asks_for_them(prompt: str, more: Any, called: list[str]) -> None:
    made = say(prompt, tools=[WEATHER, TIME], **more)
    assert [call.name for call in made.tool_calls] == called
    assert made.stop_word == ("tool_calls" if called else "stop")
    assert len({call.id for call in made.tool_calls}) == len(called)


def test_arguments_are_filled_from_the_schema_and_the_prompt() -> None:
    made = say("What is the weather in Berlin and in Oslo, both?", tools=[WEATHER])
    assert [jsonx.decode(call.arguments) for call in made.tool_calls] == [{"city": "Berlin"}, {"city": "Oslo"}]


def test_results_of_tools_are_answered_in_words() -> None:
    messages = [{"role": "user", "content": "weather?"}, {"role": "assistant"}, {"role": "tool", "content": "sunny"}]
    made = say(messages=messages, tools=[WEATHER])
    assert made.tool_calls == ()
    assert "sunny" in made.text


def test_json_is_answered_in_json() -> None:
    assert jsonx.decode(say(response_format={"type": "json_object"}).text)["answer"] == "hi"
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 3}}, "required": ["age"]}
    wish = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert jsonx.decode(say(response_format=wish).text) == {"age": 3}


def test_the_output_limit_ends_the_answer() -> None:
    made = say(max_new_tokens=3)
    assert (made.stop_word, len(made.text), made.tokens) == ("length", 12, 3)
    thought = say(max_new_tokens=3, enable_thinking=True)
    assert (thought.text, len(thought.reasoning), thought.stop_word) == ("", 12, "length")
    assert say(max_new_tokens=10_000).stop_word == "stop"


def test_a_stop_sequence_ends_the_answer_before_it() -> None:
    whole = say().text
    made = say(stop=["simulated", "made up"])
    assert made.text == whole[: whole.index("simulated")]
    assert made.stop_word == "stop"
