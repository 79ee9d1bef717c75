from typing import Any

import pytest

from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic.usage import Counter, decode_usage, encode_usage, estimated


def test_input_tokens_leave_out_what_the_cache_had_and_ours_include_it() -> None:
    wire = {"input_tokens": 20, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 2}

    assert decode_usage(wire) == Usage(prompt=123, completion=2, cached=100)


@pytest.mark.parametrize(
    "usage", [Usage(prompt=120, completion=2, cached=100, reasoning=1), Usage(prompt=3), Usage(completion=4)]
)
def test_usage_in_is_usage_out(usage: Usage) -> None:
    assert decode_usage(encode_usage(usage)) == usage


def test_more_cached_than_there_was_is_no_negative_count() -> None:
    assert encode_usage(Usage(prompt=5, cached=9))["input_tokens"] == 0


@pytest.mark.parametrize(
    "wire",
    [None, [], "x", {}, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": -1}, {"output_tokens": True},
     {"input_tokens": 1e300}, {"output_tokens_details": 5}],
)  # fmt: skip
def test_zeros_and_nonsense_are_no_report(wire: Any) -> None:
    assert decode_usage(wire) is None


def test_a_later_report_replaces_what_it_speaks_of() -> None:
    counter = Counter()
    counter.take({"input_tokens": 25, "cache_read_input_tokens": 5, "output_tokens": 1})
    counter.take({"output_tokens": 15})
    counter.take({"input_tokens": 0, "output_tokens": 16})

    assert counter.usage == Usage(prompt=30, completion=16, cached=5)


def test_an_estimate_counts_the_answer_only_when_the_question_was_counted() -> None:
    assert estimated(100, 9) == Usage(prompt=100, completion=3, is_estimated=True)
    assert not estimated(0, 9)
