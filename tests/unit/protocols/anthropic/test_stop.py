import pytest

from iflow_cli_proxy.core.events import StopReason
from iflow_cli_proxy.protocols.anthropic.stop import decode_stop, encode_stop, hit_sequence, unsaid_stop

DOCUMENTED = (
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "compaction",
    "refusal",
    "model_context_window_exceeded",
)


@pytest.mark.parametrize("word", DOCUMENTED)
def test_every_documented_word_survives(word: str) -> None:
    end = decode_stop(word, "")

    assert encode_stop(end.reason, end.word, has_calls=False) == word


@pytest.mark.parametrize("reason", [*StopReason, None])
@pytest.mark.parametrize("word", ["", "stop", "sensitive", "function_call"])
def test_every_reason_has_a_documented_word_whatever_the_upstream_said(reason: StopReason | None, word: str) -> None:
    assert encode_stop(reason, word, has_calls=False) in DOCUMENTED


def test_which_sequence_stopped_it_is_kept() -> None:
    end = decode_stop("stop_sequence", "END")

    assert (end.reason, end.stop_sequence, end.word) == (StopReason.STOP_SEQUENCE, "END", "")


def test_an_unknown_word_is_kept_for_whoever_knows_it() -> None:
    end = decode_stop("sensitive", "")

    assert (end.reason, end.word) == (StopReason.OTHER, "sensitive")


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (StopReason.END_TURN, "tool_use"),
        (StopReason.OTHER, "tool_use"),
        (None, "tool_use"),
        (StopReason.MAX_TOKENS, "max_tokens"),
        (StopReason.CONTENT_FILTER, "refusal"),
    ],
)
def test_an_answer_with_calls_that_is_merely_over_waits_for_their_results(reason: StopReason | None, word: str) -> None:
    assert encode_stop(reason, "", has_calls=True) == word


def test_an_end_without_a_reason_goes_by_what_was_said() -> None:
    assert unsaid_stop(has_calls=True).reason is StopReason.TOOL_USE
    assert unsaid_stop(has_calls=False).reason is StopReason.END_TURN


def test_only_a_sequence_that_the_client_named_has_ended_an_answer() -> None:
    assert hit_sequence("###", {"stop_sequences": ["###"]}) == "###"
    assert hit_sequence("<|im_end|>", {"stop_sequences": ["###"]}) == ""
    assert hit_sequence("###", {}) == "###", "nobody knows what was asked"
