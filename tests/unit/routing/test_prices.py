from __future__ import annotations

import pytest

from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.routing.prices import Cost, Price, PriceTable

MILLION = 1_000_000


def price(model: str, **fields: object) -> Price:
    return Price(**{"model": model, "prompt": 1.0, "completion": 10.0, **fields})  # type: ignore[arg-type]


def test_each_kind_of_token_has_its_price() -> None:
    table = PriceTable([price("zai/glm-5", cached=0.25)])
    usage = Usage(prompt=3 * MILLION, cached=2 * MILLION, completion=MILLION, reasoning=MILLION)
    assert table.cost_of("zai", "glm-5", usage) == Cost(amount=1.0 + 0.5 + 10.0, currency="USD")


def test_without_a_price_for_them_cached_tokens_cost_what_the_others_do() -> None:
    usage = Usage(prompt=2 * MILLION, cached=MILLION)
    assert PriceTable([price("*")]).cost_of("p", "m", usage) == Cost(amount=2.0, currency="USD")


def test_more_cached_tokens_than_there_were_do_not_make_it_cheaper_than_free() -> None:
    table = PriceTable([price("*", cached=0.5)])
    assert table.cost_of("p", "m", Usage(prompt=MILLION, cached=5 * MILLION)) == Cost(amount=0.5, currency="USD")


@pytest.mark.parametrize(
    ("glob", "provider", "model", "fits"),
    [
        ("zai/glm-5", "zai", "glm-5", True),
        ("zai/glm-5", "ZAI", "GLM-5", True),
        ("zai/glm-5", "zai", "glm-5-turbo", False),
        ("zai/glm-5", "openrouter", "zai/glm-5", False),
        ("glm-*", "desk", "glm-5", True),
        ("glm-*", "openrouter", "z-ai/glm-5", False),
        ("openrouter/z-ai/*", "openrouter", "z-ai/glm-5", True),
        ("*", "any", "thing", True),
    ],
)
def test_a_glob_with_a_slash_names_the_provider_too(glob: str, provider: str, model: str, fits: bool) -> None:
    assert (PriceTable([price(glob)]).price_of(provider, model) is not None) is fits


def test_the_first_row_that_fits_and_is_long_enough_counts() -> None:
    table = PriceTable([price("m", up_to_tokens=100), price("m", prompt=2.0), price("*", prompt=9.0)])
    prompts = [table.price_of("p", "m", tokens) for tokens in (100, 101)]
    assert [found and found.prompt for found in prompts] == [1.0, 2.0]


def test_what_nobody_knows_and_what_used_nothing_has_no_cost() -> None:
    table = PriceTable([price("m", up_to_tokens=100)])
    assert table.cost_of("p", "other", Usage(prompt=5)) is None
    assert table.cost_of("p", "m", Usage(prompt=101)) is None
    assert table.cost_of("p", "m", Usage()) is None
    assert (len(table), len(PriceTable())) == (1, 0)
