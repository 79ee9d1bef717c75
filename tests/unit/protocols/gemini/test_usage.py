import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.gemini.usage import decode_usage, encode_usage


def test_thinking_is_counted_beside_the_answer() -> None:
    wire = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 4,
        "totalTokenCount": 18,
    }
    usage = Usage(prompt=10, completion=8, cached=4, reasoning=3)

    assert decode_usage(wire) == usage
    assert encode_usage(usage) == wire


def test_what_tools_of_google_brought_in_was_read_too() -> None:
    assert decode_usage({"promptTokenCount": 1, "toolUsePromptTokenCount": 2}) == Usage(prompt=3)


def test_more_thinking_than_answer_makes_nothing_negative() -> None:
    assert encode_usage(Usage(prompt=1, completion=2, reasoning=5))["candidatesTokenCount"] == 0


@pytest.mark.parametrize(
    "usage", [None, [], {}, {"promptTokenCount": 0}, {"promptTokenCount": -1}, {"promptTokenCount": "9"}]
)
def test_nothing_counted_is_no_usage(usage: Json) -> None:
    assert decode_usage(usage) is None
