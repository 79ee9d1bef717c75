from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core.fitting import fitted
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.request import (
    Reasoning,
    Role,
    Thinking,
    ToolCall,
)
from tests.support.conversation import USER, call, request, said, text


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


def test_an_effort_that_chat_completions_does_not_know_is_the_nearest_one() -> None:
    assert fitted(request(thinking=Thinking(effort="max")), Profile()).request.thinking.effort == "high"


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("", {}),
        ("reasoning_content", {}),
        ("reasoning", {"reasoning": "hm"}),
        (
            "reasoning_details",
            {
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "hm", "signature": "s"},
                    {"type": "reasoning.encrypted", "data": "e"},
                ]
            },
        ),
    ],
)
def test_thinking_is_given_back_where_the_upstream_wrote_it(field: str, written: dict[str, Any]) -> None:
    thought = Reasoning(text="hm", seals={"signature": "s", "encrypted": "e"})
    fit = fitted(request(USER, said(Role.ASSISTANT, thought, text("yes"))), Profile(reasoning_field=field))

    turn = fit.request.messages[1]
    assert turn.extras.get("openai_chat", {}) == written
    assert (thought in turn.parts) is not bool(written)
