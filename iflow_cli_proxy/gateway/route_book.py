"""Where a model's name may go, for whom, and in which words that is told.

Built with its gateway, over one routing table that never changes; what was looked up once is remembered, in bounds.
Refuses to know accounts: whether one of them is free decides nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from iflow_cli_proxy.pool.client_key import ClientKey, allows_model, check_model
from iflow_cli_proxy.routing.catalog import Catalog
from iflow_cli_proxy.routing.explain import alias_of, explain
from iflow_cli_proxy.routing.resolve import Route, RoutingTable, resolve

_MOST_NAMES: Final = 1024
_MOST_TABLES: Final = 64

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Words:
    """How a name was resolved, for people."""

    alias_of: str
    """What it stands for; empty where it stands for itself."""
    steps: tuple[str, ...]


class RouteBook:
    """One for each gateway."""

    def __init__(self, table: RoutingTable) -> None:
        self.table = table
        self._routes: dict[str, tuple[Route, ...]] = {}
        self._words: dict[str, Words] = {}
        self._tables: dict[tuple[str, ...], RoutingTable] = {}
        """What is left of the table for keys that may use some models only, by their globs."""

    def routes(self, asked: str, key: ClientKey | None) -> tuple[Route, ...]:
        """Those that a caller's key may take. Raises Forbidden when there is none, UnknownModel when nobody has it."""
        routes = _remembered(self._routes, asked, lambda: resolve(asked, self.table), _MOST_NAMES)
        if key is None or not key.models:
            return routes
        allowed = tuple(route for route in routes if self._allows(key, asked, route))
        if not allowed:
            check_model(key, asked, str(routes[0]))
        return allowed

    def table_for(self, key: ClientKey) -> RoutingTable:
        """The table without models that the key may not ask for: no larger window is found there either."""

        def without() -> RoutingTable:
            catalogs = {
                name: Catalog(model for model in catalog if allows_model(key, model.id, f"{name}/{model.id}"))
                for name, catalog in self.table.catalogs.items()
            }
            return replace(self.table, catalogs=catalogs)

        return _remembered(self._tables, key.models, without, _MOST_TABLES)

    def words(self, asked: str) -> Words:
        """How it was resolved, all but what is about prompts that are too long."""

        def told() -> Words:
            *steps, _ = explain(asked, self.table).steps
            return Words(alias_of(asked, self.table), tuple(steps))

        return _remembered(self._words, asked, told, _MOST_NAMES)

    def _allows(self, key: ClientKey, asked: str, route: Route) -> bool:
        """By the name asked for or the one it stands for, with or without a wish; a fallback stands for itself alone,
        since any client can make the model that it asks for fail."""
        model, wish = self.table.catalogs[route.provider].split(route.model)
        plain = f"{route.provider}/{model.id if model is not None else route.model.removesuffix(wish)}"
        if route.is_fallback:
            return allows_model(key, plain, str(route))
        return allows_model(key, asked, str(route)) or allows_model(key, asked.removesuffix(wish), plain)


def _remembered(known: dict[K, V], key: K, make: Callable[[], V], most: int) -> V:
    """Names come from clients, so there is an end to what is remembered of them."""
    found = known.get(key)
    if found is None:
        found = make()
        if len(known) < most:
            known[key] = found
    return found
