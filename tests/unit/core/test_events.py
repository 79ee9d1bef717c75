from typing import get_args

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Rejected, TimedOut
from iflow_cli_proxy.core.events import (
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Extra,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    Sealed,
    Started,
    StopReason,
    UsageReported,
    failed,
)
from iflow_cli_proxy.core.usage import Usage

ONE_OF_EACH = [
    Started(id="a", model="m", created=1),
    PartStarted(part=0, kind=PartKind.TOOL_CALL, choice=1, id="c", name="f"),
    Delta(part=0, text="é\x00"),
    Sealed(part=0, kind="signature", value="s"),
    PartEnded(part=0),
    ChoiceEnded(choice=1, reason=StopReason.OTHER, word="odd"),
    UsageReported(usage=Usage(prompt=1)),
    Extra(protocol="p", fields={"a": [1, None]}, choice=0),
    Ended(),
    Failed(kind="internal", message="m", code="c"),
]


def test_the_samples_cover_the_vocabulary() -> None:
    assert {type(event) for event in ONE_OF_EACH} == set(get_args(Event))


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_an_event_survives_being_written_down(event: Event) -> None:
    assert jsonx.typed(Event)(jsonx.encode(event)) == event


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_an_event_cannot_be_changed(event: Event) -> None:
    with pytest.raises(AttributeError):
        event.part = 5  # type: ignore[misc, union-attr]


def test_a_failure_carries_kind_message_and_code_but_no_detail() -> None:
    error = Rejected("No.", detail="sk-secret", code="bad_value")

    assert failed(error) == Failed(kind="upstream_rejected", message="No.", code="bad_value")
    assert "sk-secret" not in repr(failed(error))
    assert failed(TimedOut("idle", 60)).kind == "upstream_timeout"
