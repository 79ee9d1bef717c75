import pytest

from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.openai_responses.usage import decode_usage, encode_usage


def test_usage_in_is_usage_out() -> None:
    usage = Usage(prompt=11, completion=9, cached=5, reasoning=4)

    assert decode_usage(encode_usage(usage)) == usage


def test_nobody_counted_is_null() -> None:
    assert encode_usage(None) is None


@pytest.mark.parametrize(
    "usage",
    [None, [], "x", {}, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": -1}, {"input_tokens": True},
     {"input_tokens": "9"}, {"input_tokens": 1e300}],
)  # fmt: skip
def test_nonsense_and_zeros_are_no_report(usage: object) -> None:
    assert decode_usage(usage) is None


def test_details_may_be_missing_or_odd() -> None:
    assert decode_usage({"input_tokens": 3, "input_tokens_details": None, "output_tokens_details": [1]}) == Usage(
        prompt=3
    )
