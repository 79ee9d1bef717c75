import pytest

from iflow_cli_proxy.core.events import ChoiceEnded, StopReason
from iflow_cli_proxy.protocols.openai_stop import decode_stop, encode_stop


@pytest.mark.parametrize(
    ("word", "reason", "kept"),
    [
        ("stop", StopReason.END_TURN, ""),
        ("length", StopReason.MAX_TOKENS, ""),
        ("tool_calls", StopReason.TOOL_USE, ""),
        ("function_call", StopReason.TOOL_USE, "function_call"),
        ("content_filter", StopReason.CONTENT_FILTER, ""),
        ("overworked", StopReason.OTHER, "overworked"),
        ("repetition_truncation", StopReason.OTHER, "repetition_truncation"),
    ],
)
def test_every_word_is_read_and_said_again(word: str, reason: StopReason, kept: str) -> None:
    assert decode_stop(word, 3) == ChoiceEnded(choice=3, reason=reason, word=kept)
    assert encode_stop(reason, kept) == word


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_reason_has_a_word_that_clients_know(reason: StopReason) -> None:
    assert encode_stop(reason, "") in {"stop", "length", "tool_calls", "content_filter"}


@pytest.mark.parametrize(
    ("reason", "word", "said"),
    [
        (StopReason.END_TURN, "pause_turn", "stop"),
        (StopReason.MAX_TOKENS, "max_output_tokens", "length"),
        (StopReason.TOOL_USE, "stop", "tool_calls"),
    ],
)
def test_another_protocols_word_is_not_said_where_the_reason_says_it(reason: StopReason, word: str, said: str) -> None:
    assert encode_stop(reason, word) == said


@pytest.mark.parametrize(
    ("word", "reason"),
    [("sensitive", StopReason.CONTENT_FILTER), ("model_context_window_exceeded", StopReason.MAX_TOKENS)],
)
def test_words_of_other_vendors_mean_what_they_mean_and_are_said_again(word: str, reason: StopReason) -> None:
    end = decode_stop(word, 0)

    assert end.reason is reason
    assert encode_stop(end.reason, end.word) == word


def test_a_stop_sequence_that_a_server_names_is_told() -> None:
    end = decode_stop("stop", 1, "###")

    assert (end.reason, end.stop_sequence) == (StopReason.STOP_SEQUENCE, "###")
    assert encode_stop(end.reason, end.word) == "stop"
    assert decode_stop("length", 0, "###").reason is StopReason.MAX_TOKENS
