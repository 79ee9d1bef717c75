import pytest

from iflow_cli_proxy.core.events import ChoiceEnded, StopReason
from iflow_cli_proxy.protocols.openai_responses.ending import Ending, decode_ending, encode_ending


@pytest.mark.parametrize(
    ("reason", "word", "expected"),
    [
        (None, "", Ending("incomplete", {"reason": "unknown"})),
        (StopReason.END_TURN, "", Ending("completed")),
        (StopReason.STOP_SEQUENCE, "", Ending("completed")),
        (StopReason.TOOL_USE, "", Ending("completed")),
        (StopReason.MAX_TOKENS, "", Ending("incomplete", {"reason": "max_output_tokens"})),
        (StopReason.CONTENT_FILTER, "", Ending("incomplete", {"reason": "content_filter"})),
        (StopReason.OTHER, "sensitive", Ending("incomplete", {"reason": "sensitive"})),
        (StopReason.OTHER, "", Ending("completed")),
    ],
)
def test_every_reason_has_a_status(reason: StopReason | None, word: str, expected: Ending) -> None:
    assert encode_ending(reason, word) == expected


@pytest.mark.parametrize(
    ("status", "details", "has_calls", "expected"),
    [
        ("completed", None, False, ChoiceEnded()),
        ("completed", None, True, ChoiceEnded(reason=StopReason.TOOL_USE)),
        (None, None, False, ChoiceEnded()),
        ("incomplete", {"reason": "max_output_tokens"}, True, ChoiceEnded(reason=StopReason.MAX_TOKENS)),
        ("incomplete", {"reason": "content_filter"}, False, ChoiceEnded(reason=StopReason.CONTENT_FILTER)),
        ("incomplete", {"reason": "steered"}, False, ChoiceEnded(reason=StopReason.OTHER, word="steered")),
        ("incomplete", None, False, ChoiceEnded(reason=StopReason.OTHER, word="incomplete")),
        ("incomplete", {"reason": 5}, False, ChoiceEnded(reason=StopReason.OTHER, word="incomplete")),
    ],
)
def test_every_status_has_a_reason(status: object, details: object, has_calls: bool, expected: ChoiceEnded) -> None:
    assert decode_ending(status, details, has_calls=has_calls) == expected
