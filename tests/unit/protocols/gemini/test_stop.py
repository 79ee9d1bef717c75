import pytest

from iflow_cli_proxy.core.events import StopReason
from iflow_cli_proxy.protocols.gemini.stop import decode_stop, encode_stop


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (StopReason.END_TURN, "STOP"),
        (StopReason.STOP_SEQUENCE, "STOP"),
        (StopReason.TOOL_USE, "STOP"),
        (StopReason.MAX_TOKENS, "MAX_TOKENS"),
        (StopReason.CONTENT_FILTER, "SAFETY"),
        (StopReason.OTHER, "OTHER"),
    ],
)
def test_every_reason_has_a_word(reason: StopReason, word: str) -> None:
    assert encode_stop(reason, "") == word


def test_stop_with_calls_waits_for_their_results() -> None:
    assert decode_stop("STOP", 0, has_calls=True).reason is StopReason.TOOL_USE
    assert decode_stop("STOP", 2, has_calls=False).reason is StopReason.END_TURN


@pytest.mark.parametrize(
    "word", ["MAX_TOKENS", "SAFETY", "RECITATION", "BLOCKLIST", "MALFORMED_FUNCTION_CALL", "OTHER"]
)
def test_googles_words_come_back(word: str) -> None:
    ended = decode_stop(word, 1, has_calls=False)

    assert ended.choice == 1
    assert encode_stop(ended.reason, ended.word) == word


def test_words_of_others_are_not_for_googles_clients() -> None:
    ended = decode_stop("sensitive", 0, has_calls=False)

    assert (ended.reason, ended.word) == (StopReason.OTHER, "sensitive")
    assert encode_stop(StopReason.OTHER, "sensitive") == "OTHER"
    assert encode_stop(StopReason.END_TURN, "SAFETY") == "STOP"
