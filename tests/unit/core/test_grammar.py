import pytest

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
    UsageReported,
)
from iflow_cli_proxy.core.grammar import GrammarError, check
from iflow_cli_proxy.core.usage import Usage

START = Started()
OPEN = PartStarted(part=0, kind=PartKind.TEXT)
OTHER = PartStarted(part=1, kind=PartKind.TOOL_CALL, choice=1)
DELTA = Delta(part=0, text="x")
SEAL = Sealed(part=0, kind="signature", value="s")
CLOSE = PartEnded(part=0)
STOP = ChoiceEnded()
USAGE = UsageReported(usage=Usage())
EXTRA = Extra(protocol="p", fields={})
END = Ended()
FAIL = Failed(kind="internal", message="")


@pytest.mark.parametrize(
    "events",
    [
        [FAIL],
        [START, FAIL],
        [START, END],
        [START, OPEN, DELTA, SEAL, DELTA, CLOSE, STOP, USAGE, EXTRA, END],
        [START, OPEN, FAIL],
        [START, OPEN, OTHER, DELTA, CLOSE, STOP, PartEnded(part=1), ChoiceEnded(choice=1), END],
        [START, STOP, ChoiceEnded(choice=1), END],
        [START, EXTRA, USAGE, USAGE, END],
    ],
)
def test_well_formed_streams_pass(events: list[Event]) -> None:
    check(events)


@pytest.mark.parametrize(
    ("fault", "events"),
    [
        ("nothing at all", []),
        ("no end", [START, OPEN, CLOSE, STOP]),
        ("content before the start", [OPEN, END]),
        ("an end without a start", [END]),
        ("two starts", [START, START, END]),
        ("two ends", [START, END, END]),
        ("content after the end", [START, END, USAGE]),
        ("content after a failure", [START, FAIL, END]),
        ("a delta for a part that was never opened", [START, DELTA, END]),
        ("a delta for a part that is closed", [START, OPEN, CLOSE, DELTA, END]),
        ("a seal for a part that is closed", [START, OPEN, CLOSE, SEAL, END]),
        ("a part opened twice", [START, OPEN, CLOSE, OPEN, CLOSE, END]),
        ("a part closed twice", [START, OPEN, CLOSE, CLOSE, END]),
        ("a part open at the end", [START, OPEN, END]),
        ("a part open when its choice ends", [START, OPEN, STOP, CLOSE, END]),
        ("a part in a choice that has ended", [START, STOP, OPEN, CLOSE, END]),
        ("a choice that ends twice", [START, STOP, STOP, END]),
    ],
)
def test_ill_formed_streams_are_named(fault: str, events: list[Event]) -> None:
    with pytest.raises(GrammarError):
        check(events)
