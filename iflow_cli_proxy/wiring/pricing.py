"""What models cost: the prices of the package, and the person's own before them."""

from __future__ import annotations

from iflow_cli_proxy.config.load import read_text
from iflow_cli_proxy.providers.price_list import price_table
from iflow_cli_proxy.routing.prices import PriceTable
from iflow_cli_proxy.state.paths import Paths


def all_prices(paths: Paths) -> PriceTable:
    """Raises ConfigError when the person's file cannot be used."""
    own = read_text(paths.prices_file)
    return price_table() if own is None else price_table(own.text, own.name)
