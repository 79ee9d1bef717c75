"""The prices of the package and the person's own, as one table.

Knows the file `prices.toml` and what may stand in it. Refuses to know where the person's file lies, and what anything
costs (`routing/prices.py`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.own_tables import check_keys, own_rows
from iflow_cli_proxy.routing.prices import Price, PriceTable

_KEYS: Final = Price.__struct_fields__
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


def price_table(own_text: str = "", own_name: str = "prices.toml") -> PriceTable:
    """The person's rows and then ours; `own_name` is what errors call their file.

    Raises:
        ConfigError: the person's file is not TOML, or has a key or a value that cannot be used.
    """
    return PriceTable((*_own_prices(own_text, own_name), *_package_prices()))


@cache
def _package_prices() -> tuple[Price, ...]:
    text = files(__package__).joinpath("prices.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text)["prices"], tuple[Price, ...])


def _own_prices(text: str, name: str) -> list[Price]:
    rows = own_rows(text, name, "prices")
    return [_price(row, f"{name}: prices[{number}]") for number, row in enumerate(rows)]


def _price(row: Mapping[str, Any], where: str) -> Price:
    check_keys(row, _KEYS, where)
    try:
        price = jsonx.convert(dict(row), Price)
    except jsonx.JsonError as error:
        field = f".{error.path}" if error.path else ""
        raise ConfigError(f"{where}{field}: {error.what}.", param=f"{where}{field}") from error
    if not price.model.strip():
        raise ConfigError(f"{where}.model is empty.", param=f"{where}.model", hint='write model = "glm-*"')
    if not _CURRENCY.fullmatch(price.currency):
        raise ConfigError(f"{where}.currency is no currency.", param=f"{where}.currency", hint="such as USD or CNY")
    for key in ("prompt", "completion", "cached", "up_to_tokens"):
        number = getattr(price, key)
        if number is not None and not (isfinite(number) and number >= 0):
            raise ConfigError(f"{where}.{key} is not a number from 0 up.", param=f"{where}.{key}")
    return price
