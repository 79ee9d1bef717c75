from __future__ import annotations

import pytest

from iflow_cli_proxy.core.events import ChoiceEnded, PartKind, PartStarted, StopReason
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.tool_use import ToolUseSaid

CALL = PartStarted(part=0, kind=PartKind.TOOL_CALL, id="c", name="f")
TEXT = PartStarted(part=1, kind=PartKind.TEXT)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (StopReason.END_TURN, StopReason.TOOL_USE),
        (StopReason.OTHER, StopReason.TOOL_USE),
        (StopReason.TOOL_USE, StopReason.TOOL_USE),
        (StopReason.MAX_TOKENS, StopReason.MAX_TOKENS),
        (StopReason.CONTENT_FILTER, StopReason.CONTENT_FILTER),
    ],
)
def test_a_call_that_ended_well_is_what_the_answer_ended_for(said: StopReason, told: StopReason) -> None:
    *_, last = run(ToolUseSaid(), [CALL, TEXT, ChoiceEnded(reason=said)])

    assert last == ChoiceEnded(reason=told)


def test_an_answer_without_a_call_keeps_its_word() -> None:
    end = ChoiceEnded(choice=1, reason=StopReason.OTHER, word="odd")

    assert run(ToolUseSaid(), [CALL, end]) == [CALL, end]
