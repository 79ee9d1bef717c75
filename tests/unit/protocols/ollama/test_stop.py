import pytest

from iflow_cli_proxy.core.events import ChoiceEnded, StopReason
from iflow_cli_proxy.protocols.ollama.stop import decode_stop, encode_stop


@pytest.mark.parametrize("reason", list(set(StopReason) - {StopReason.OTHER}))
def test_clients_hear_one_of_two_words(reason: StopReason) -> None:
    assert encode_stop(reason, "its own") == ("length" if reason is StopReason.MAX_TOKENS else "stop")


def test_an_end_that_nobody_understands_is_not_called_a_good_one() -> None:
    assert encode_stop(StopReason.OTHER, "network_error") == "network_error"
    assert encode_stop(StopReason.OTHER, "") == "other"


def test_words_are_understood() -> None:
    assert decode_stop("stop", has_calls=False) == ChoiceEnded()
    assert decode_stop("stop", has_calls=True) == ChoiceEnded(reason=StopReason.TOOL_USE)
    assert decode_stop("length", has_calls=True) == ChoiceEnded(reason=StopReason.MAX_TOKENS)
    assert decode_stop("load", has_calls=False) == ChoiceEnded(reason=StopReason.OTHER, word="load")
