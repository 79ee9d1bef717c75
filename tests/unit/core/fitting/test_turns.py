from __future__ import annotations

from iflow_cli_proxy.core.fitting import fitted
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.request import (
    Role,
    ToolCall,
    ToolResult,
)
from tests.support.conversation import PNG, USER, request, result, said, text


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


def test_an_assistant_says_one_text_and_a_result_is_one_text() -> None:
    turn = said(Role.ASSISTANT, text("a"), ToolCall(id="c1", name="look", arguments="{}"), text("b"))
    fit = fitted(request(USER, turn, result(text("x"), text("y"))), Profile())

    _, assistant, tool = fit.request.messages
    assert assistant.parts == (text("a\n\nb"), ToolCall(id="c1", name="look", arguments="{}"))
    assert tool.parts == (ToolResult(call_id="c1", parts=(text("x\n\ny"),)),)
