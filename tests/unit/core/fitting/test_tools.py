from __future__ import annotations

from iflow_cli_proxy.core.fitting import fitted
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.request import (
    Role,
    Sampling,
    ToolCall,
    ToolChoice,
    ToolResult,
    ToolSpec,
)
from tests.support.conversation import LONG, PNG, USER, call, request, result, said, text


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


def test_schemas_of_tools_lose_what_is_refused() -> None:
    tools = (ToolSpec(name="a", parameters={"type": "object", "$schema": "x"}), ToolSpec(name="b"))

    fit = fitted(request(USER, tools=tools), Profile(refused_schema_words=("$schema",)))

    assert [tool.parameters for tool in fit.request.tools] == [{"type": "object"}, None]
    assert [note.path for note in fit.notes] == ["tools[0]"]


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
