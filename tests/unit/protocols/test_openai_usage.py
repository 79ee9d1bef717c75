import pytest

from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.openai_usage import decode_usage, encode_usage


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}, Usage(prompt=3, completion=2)),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}, Usage(prompt=3, cached=2)),
        ({"prompt_tokens": 3, "cached_tokens": 2}, Usage(prompt=3, cached=2)),
        ({"prompt_tokens": 3, "prompt_cache_hit_tokens": 2, "prompt_cache_miss_tokens": 1}, Usage(prompt=3, cached=2)),
        ({"prompt_tokens": 3, "cache_read_input_tokens": 2}, Usage(prompt=3, cached=2)),
        (
            {"completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": None}},
            Usage(completion=3, reasoning=2),
        ),
        ({"prompt_tokens": 11.0, "completion_tokens": None}, Usage(prompt=11)),
    ],
)
def test_reported_counts_are_read(wire: object, usage: Usage) -> None:
    assert decode_usage(wire) == usage


@pytest.mark.parametrize(
    "wire",
    [
        None,
        {},
        [],
        "11",
        5,
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": -1},
        {"prompt_tokens": True},
        {"prompt_tokens": "11"},
        {"prompt_tokens": 2**64},
        {"prompt_tokens": 10**400},
        {"prompt_tokens": {}, "prompt_tokens_details": [], "completion_tokens_details": 5},
    ],
)
def test_nothing_zeros_and_nonsense_are_no_report(wire: object) -> None:
    assert decode_usage(wire) is None


@pytest.mark.parametrize("usage", [Usage(prompt=3, completion=2), Usage(prompt=3, completion=9, cached=2, reasoning=4)])
def test_written_usage_is_read_back(usage: Usage) -> None:
    assert decode_usage(encode_usage(usage)) == usage


def test_usage_that_nobody_counted_is_written_as_zeros() -> None:
    assert encode_usage(None) == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
