from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.fitting import fitted, fitted_fields, given_back, refuses
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.request import (
    ChatRequest,
    Image,
    Message,
    Part,
    Reasoning,
    Role,
    Sampling,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
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


def test_long_names_are_others_in_tools_choice_and_history_alike() -> None:
    asked = request(USER, call(LONG), tools=(ToolSpec(name=LONG),), tool_choice=ToolChoice(mode="function", name=LONG))

    fit = fitted(asked, Profile())

    new = fit.names[LONG]
    assert fit.request.tools[0].name == new
    assert fit.request.tool_choice == ToolChoice(mode="function", name=new)
    assert fit.request.messages[1].parts == (ToolCall(id="c1", name=new, arguments="{}"),)
    assert [note.path for note in fit.notes] == ["tools"]


def test_odd_ids_stay_the_same_for_a_call_and_its_result() -> None:
    fit = fitted(request(USER, call(call_id="a:b"), result(text("r"), call_id="a:b")), Profile())

    (made,), (answered,) = (message.parts for message in fit.request.messages[1:])
    assert isinstance(made, ToolCall)
    assert isinstance(answered, ToolResult)
    assert made.id == answered.call_id != "a:b"


def test_pictures_of_results_are_shown_behind_the_results_of_the_turn() -> None:
    two = said(Role.ASSISTANT, ToolCall(id="c1", name="look"), ToolCall(id="c2", name="read"))
    asked = request(USER, two, result(PNG), result(text("t"), call_id="c2"), USER)

    fit = fitted(asked, Profile())

    assert [message.role for message in fit.request.messages] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert fit.request.messages[2].parts == (ToolResult(call_id="c1", parts=(text("(the picture follows)"),)),)
    assert fit.request.messages[4].parts == (text("From the result of look:"), PNG)
    assert fitted(asked, Profile(tool_result_images=True)).request == asked


def test_pictures_of_the_last_results_are_shown_at_the_end() -> None:
    fit = fitted(request(USER, call(), result(text("t"), PNG)), Profile())

    assert fit.request.messages[-1].parts == (text("From the result of look:"), PNG)


def test_a_late_system_message_is_a_reminder_where_it_is_refused() -> None:
    asked = request(said(Role.SYSTEM, text("a")), USER, said(Role.SYSTEM, text("b")))

    assert fitted(asked, Profile()).request == asked
    fit = fitted(asked, Profile(late_system=False))
    assert fit.request.messages[2] == said(Role.USER, text("<system-reminder>\nb\n</system-reminder>"))
    assert fit.request.messages[0].role is Role.SYSTEM


def test_several_texts_are_one() -> None:
    asked = request(said(Role.USER, text("a"), text(""), text("b"), PNG, text("c")))

    (message,) = fitted(asked, Profile()).request.messages
    assert message.parts == (text("a\n\nb"), PNG, text("c"))


@pytest.mark.parametrize(
    ("thinking", "effort"),
    [
        (Thinking(), ""),
        (Thinking(is_on=True), ""),
        (Thinking(is_on=True, budget=1024), "low"),
        (Thinking(is_on=True, budget=8_000), "medium"),
        (Thinking(is_on=True, budget=31_999), "high"),
        (Thinking(budget=-1), ""),
        (Thinking(is_on=True, effort="xhigh", budget=1), "xhigh"),
        (Thinking(is_on=False), "none"),
        (Thinking(budget=0), "none"),
    ],
)
def test_a_wish_to_think_is_a_word(thinking: Thinking, effort: str) -> None:
    assert fitted(request(thinking=thinking), Profile(effort_none=True)).request.thinking.effort == effort
    plain = "" if effort == "none" else effort
    assert fitted(request(thinking=thinking), Profile()).request.thinking.effort == plain
    fit = fitted(request(thinking=thinking), Profile(effort=False))
    assert fit.request.thinking.effort == ""
    assert bool(fit.notes) is bool(effort)


def test_earlier_thinking_is_given_back_as_the_upstream_wants_it() -> None:
    thought = said(Role.ASSISTANT, Reasoning(text="hm"), ToolCall(id="c1", name="look"))
    asked = request(USER, thought, call(call_id="c2"))

    wanted = fitted(asked, Profile(wants_reasoning_back=True)).request.messages
    refused = fitted(asked, Profile(wants_reasoning_back=False)).request.messages

    assert fitted(asked, Profile()).request == asked
    assert [isinstance(message.parts[0], Reasoning) for message in wanted] == [False, True, True]
    assert wanted[1] == thought
    assert not any(isinstance(part, Reasoning) for message in refused for part in message.parts)


def test_a_schema_that_nobody_enforces_is_asked_for() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}

    fit = fitted(request(USER, response_format=schema), Profile(json_schema=False))
    assert fit.request.response_format == {"type": "json_object"}
    assert '{"type":"object"}' in fit.request.messages[0].parts[0].text  # type: ignore[union-attr]
    bare = fitted(request(USER, response_format=schema), Profile(json_schema=False, json_object=False))
    assert bare.request.response_format is None
    assert fitted(request(USER, response_format=schema), Profile()).request.response_format == schema


def test_schemas_of_tools_lose_what_is_refused() -> None:
    tools = (ToolSpec(name="a", parameters={"type": "object", "$schema": "x"}), ToolSpec(name="b"))

    fit = fitted(request(USER, tools=tools), Profile(refused_schema_words=("$schema",)))

    assert [tool.parameters for tool in fit.request.tools] == [{"type": "object"}, None]
    assert [note.path for note in fit.notes] == ["tools[0]"]


def test_the_limit_bears_the_name_that_the_upstream_knows() -> None:
    renamed = Profile(max_tokens_field="max_completion_tokens")

    assert fitted_fields({"max_tokens": 5, "n": 1}, renamed) == {"n": 1, "max_completion_tokens": 5}
    assert fitted_fields({"max_tokens": 5, "max_completion_tokens": 7}, renamed) == {"max_completion_tokens": 7}
    assert fitted_fields(fields := {"max_tokens": 5}, Profile()) is fields


def test_an_object_in_place_of_a_user_is_a_short_word_for_it() -> None:
    long = '{"device_id":"' + "d" * 64 + '"}'

    short = fitted(request(USER, user=long), Profile()).request.user
    assert len(short) == 64
    assert short == fitted(request(USER, user=long), Profile()).request.user
    assert fitted(request(USER, user="me"), Profile()).request.user == "me"


def test_an_assistant_says_one_text_and_a_result_is_one_text() -> None:
    turn = said(Role.ASSISTANT, text("a"), ToolCall(id="c1", name="look", arguments="{}"), text("b"))
    fit = fitted(request(USER, turn, result(text("x"), text("y"))), Profile())

    _, assistant, tool = fit.request.messages
    assert assistant.parts == (text("a\n\nb"), ToolCall(id="c1", name="look", arguments="{}"))
    assert tool.parts == (ToolResult(call_id="c1", parts=(text("x\n\ny"),)),)


def test_an_effort_that_chat_completions_does_not_know_is_the_nearest_one() -> None:
    assert fitted(request(thinking=Thinking(effort="max")), Profile()).request.thinking.effort == "high"


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("", {"reasoning_content": "hm", "signature": "s"}),
        ("reasoning_content", {"reasoning_content": "hm", "signature": "s"}),
        ("reasoning", {"reasoning": "hm", "signature": "s"}),
        ("reasoning_details", {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s"}]}),
    ],
)
def test_thinking_is_given_back_where_the_upstream_wrote_it(field: str, written: dict[str, Any]) -> None:
    fields = {"messages": [{"role": "assistant", "reasoning_content": "hm", "signature": "s"}, {"role": "user"}]}

    back = given_back(fields, Profile(reasoning_field=field))

    assert back["messages"] == [{"role": "assistant", **written}, {"role": "user"}]


def test_what_an_upstream_has_no_tools_for_is_left_out_and_said() -> None:
    asked = request(
        USER,
        tools=(ToolSpec(name="look"),),
        tool_choice=ToolChoice(mode="required"),
        allows_parallel_calls=True,
        sampling=Sampling(stop=("###",)),
    )

    fit = fitted(asked, Profile(tools=False, stop_sequences=False))
    assert (fit.request.tools, fit.request.tool_choice, fit.request.allows_parallel_calls) == ((), None, None)
    assert fit.request.sampling.stop == ()
    assert [note.path for note in fit.notes] == ["tools", "stop"]
    one = fitted(asked, Profile(tool_choice=False, parallel_tools=False)).request
    assert (one.tools, one.tool_choice, one.allows_parallel_calls) == (asked.tools, None, None)


def test_several_answers_where_only_one_is_given_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        fitted(request(USER, sampling=Sampling(n=2)), Profile(many_choices=False))

    assert caught.value.param == "n"


@pytest.mark.parametrize(
    "profile",
    [Profile(late_system=False), Profile(refused_schema_words=("format",)), Profile(wants_reasoning_back=True)],
)
def test_an_upstream_that_refuses_something_is_known(profile: Profile) -> None:
    assert refuses(profile)
    assert not refuses(Profile(tools=True, json_schema=True))
