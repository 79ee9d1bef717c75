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
        ("sensitive", StopReason.OTHER, "sensitive"),
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
