"""What tokens cost: rows of prices, and the cost of one answer. Pure arithmetic on a table that others read.

What no row fits has no price: nothing is guessed, neither from similar names nor from other providers.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from iflow_cli_proxy.core.usage import Usage

_MILLION: Final = 1_000_000
_MOST_KNOWN: Final = 1024


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a million tokens cost at one provider."""

    model: str
    """A glob: with a slash over `provider/model`, without one over the model's own name at any provider."""
    prompt: float
    completion: float
    cached: float | None = None
    """Tokens of the prompt that were read from a cache; without it they cost what the others do."""
    currency: str = "USD"
    up_to_tokens: int = 0
    """The longest prompt it is the price of; 0: any."""

    def fits(self, provider: str, model: str) -> bool:
        name = f"{provider}/{model}" if "/" in self.model else model
        return fnmatchcase(name.lower(), self.model.lower())

    def fits_length(self, prompt_tokens: int) -> bool:
        return not self.up_to_tokens or prompt_tokens <= self.up_to_tokens


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    amount: float
    currency: str


class PriceTable:
    """Rows in the order they are looked through: the first that fits counts."""

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        self._prices = tuple(prices)
        self._known: dict[tuple[str, str], tuple[Price, ...]] = {}

    def price_of(self, provider: str, model: str, prompt_tokens: int = 0) -> Price | None:
        for price in self._of(provider, model):
            if price.fits_length(prompt_tokens):
                return price
        return None

    def _of(self, provider: str, model: str) -> tuple[Price, ...]:
        """The rows of one model, remembered: every exchange asks."""
        known = self._known.get((provider, model))
        if known is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = tuple(price for price in self._prices if price.fits(provider, model))
            self._known[provider, model] = known
        return known

    def cost_of(self, provider: str, model: str, usage: Usage) -> Cost | None:
        """None when no price is known, or nothing was used."""
        price = self.price_of(provider, model, usage.prompt) if usage else None
        if price is None:
            return None
        cached = min(usage.cached, usage.prompt)
        cached_price = price.prompt if price.cached is None else price.cached
        amount = (usage.prompt - cached) * price.prompt + cached * cached_price + usage.completion * price.completion
        return Cost(amount=amount / _MILLION, currency=price.currency)

    def __len__(self) -> int:
        return len(self._prices)
