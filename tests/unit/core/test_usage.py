import pytest

from iflow_cli_proxy.core.usage import Usage, estimate_tokens


def test_usage_adds_up_field_by_field_and_one_estimate_taints_the_sum() -> None:
    first = Usage(prompt=10, completion=5, cached=4, reasoning=2)
    second = Usage(prompt=1, completion=2, cached=3, reasoning=4, is_estimated=True)

    assert first + second == Usage(prompt=11, completion=7, cached=7, reasoning=6, is_estimated=True)
    assert not (first + first).is_estimated


def test_cached_and_reasoning_tokens_are_part_of_the_total_already() -> None:
    assert Usage(prompt=10, completion=5, cached=10, reasoning=5).total == 15


@pytest.mark.parametrize(
    ("usage", "is_known"), [(Usage(), False), (Usage(prompt=1), True), (Usage(completion=1), True)]
)
def test_all_zero_usage_counts_as_none(usage: Usage, is_known: bool) -> None:
    assert bool(usage) is is_known


@pytest.mark.parametrize(("characters", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (4001, 1001)])
def test_an_estimate_is_a_quarter_of_the_characters_rounded_up(characters: int, tokens: int) -> None:
    assert estimate_tokens(characters) == tokens
