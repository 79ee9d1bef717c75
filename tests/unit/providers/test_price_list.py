from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.providers.presets import presets
from iflow_cli_proxy.providers.price_list import _package_prices, price_table
from iflow_cli_proxy.routing.prices import Cost


def test_every_price_of_the_package_names_a_provider_of_ours() -> None:
    for price in _package_prices():
        provider, slash, model = price.model.partition("/")
        assert provider in presets()
        assert slash
        assert model == model.lower()
        assert 0 < (price.cached or 0) <= price.prompt < price.completion
        assert price.currency == "USD"


def test_no_row_of_the_package_hides_another() -> None:
    names = [(price.model, price.up_to_tokens) for price in _package_prices()]
    assert len(names) == len(set(names))
    table = price_table()
    for price in _package_prices():
        provider, _, model = price.model.partition("/")
        assert table.price_of(provider, model, price.up_to_tokens or 10**9) == price


def test_the_cost_of_a_model_that_is_known() -> None:
    usage = Usage(prompt=1_000_000, cached=500_000, completion=100_000)
    cost = price_table().cost_of("zai", "glm-4.6", usage)
    assert cost is not None
    assert cost.amount == pytest.approx(0.30 + 0.055 + 0.22)


def test_models_of_others_have_no_price() -> None:
    table = price_table()
    for provider, model in (("iflow", "glm-4.6"), ("qwen", "coder-model"), ("openrouter", "openai/gpt-5.4")):
        assert table.price_of(provider, model) is None


def test_a_persons_row_goes_before_ours_and_adds_models() -> None:
    own = '[[prices]]\nmodel = "zai/glm-4.6"\nprompt = 4\ncompletion = 8\ncurrency = "CNY"\n'
    own += '[[prices]]\nmodel = "llama-*"\nprompt = 0.0\ncompletion = 0.0\n'
    table = price_table(own)
    assert table.cost_of("zai", "glm-4.6", Usage(prompt=1_000_000)) == Cost(amount=4.0, currency="CNY")
    assert table.cost_of("desk", "llama-3.3", Usage(prompt=5)) == Cost(amount=0.0, currency="USD")
    assert table.price_of("zai", "glm-5") is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[prices]", "prices.toml is not TOML"),
        ("[[price]]", "unknown key 'price'"),
        ("prices = 3", "prices must be tables"),
        ('[[prices]]\nmodel = "m"\nprompt = 1', "prices[0]"),
        ('[[prices]]\nmodel = "m"\nprompt = "1"\ncompletion = 1', "prices[0].prompt"),
        ('[[prices]]\nmodle = "m"', "unknown key 'modle'"),
        ('[[prices]]\nmodel = " "\nprompt = 1\ncompletion = 1', "prices[0].model is empty"),
        ('[[prices]]\nmodel = "m"\nprompt = -1\ncompletion = 1', "prices[0].prompt is not a number from 0 up"),
        ('[[prices]]\nmodel = "m"\nprompt = nan\ncompletion = 1', "prices[0].prompt is not a number from 0 up"),
        ('[[prices]]\nmodel = "m"\nprompt = 1\ncompletion = 1\ncurrency = "$"', "prices[0].currency"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        price_table(text)
    assert message in caught.value.message
