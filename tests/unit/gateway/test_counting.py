from __future__ import annotations

import pytest

from iflow_cli_proxy.gateway.counting import IMAGE_TOKENS, TokenScale


def test_four_bytes_are_a_token_until_something_is_known() -> None:
    scale = TokenScale()

    assert scale.tokens("m", 4_001) == 1_001
    assert scale.tokens("m", 0, images=2) == 2 * IMAGE_TOKENS


def test_a_model_is_counted_as_its_upstream_counts_it() -> None:
    scale = TokenScale()
    scale.learn("glm-5", 10_000, 3_300)

    assert scale.tokens("glm-5", 1_000) == 330
    assert scale.tokens("other", 1_000) == 250


def test_the_present_counts_as_much_as_the_last_twenty() -> None:
    scale = TokenScale()
    for _ in range(100):
        scale.learn("m", 10_000, 2_000)
    for _ in range(60):
        scale.learn("m", 10_000, 4_000)

    assert 380 <= scale.tokens("m", 1_000) <= 400


@pytest.mark.parametrize(("size", "tokens"), [(100, 50), (10_000, 0), (10_000, -5), (10_000, 1), (1_000, 1_000_000)])
def test_what_no_tokenizer_counted_teaches_nothing(size: int, tokens: int) -> None:
    scale = TokenScale()
    scale.learn("m", size, tokens)

    assert scale.tokens("m", 1_000) == 250


def test_the_oldest_of_many_models_is_forgotten() -> None:
    scale = TokenScale()
    for number in range(300):
        scale.learn(f"m{number}", 10_000, 5_000)

    assert scale.tokens("m0", 1_000) == 250
    assert scale.tokens("m299", 1_000) == 500
