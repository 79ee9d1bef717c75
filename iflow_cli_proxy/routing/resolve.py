"""A model's name to the ordered routes it may take. A pure function of names and catalogues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from iflow_cli_proxy.core.errors import NoAccountAvailable, UnknownModel
from iflow_cli_proxy.routing.catalog import Catalog, Model

_MOST_HOPS: Final = 8
"""Aliases of aliases are followed this far; more is a loop."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where one attempt may go. `model` is the provider's own name, in its own spelling."""

    provider: str
    model: str
    is_listed: bool = True
    """The provider's catalogue knows the model."""

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a name stands for; of an alias whose target no catalogue has, nothing is known but its name."""

    provider: str
    model: Model


@dataclass(frozen=True, kw_only=True)
class RoutingTable:
    """What `resolve` needs to know; rebuilt when settings or catalogues change."""

    catalogs: Mapping[str, Catalog]
    """By provider name; the order is the order of preference among providers that list a model."""
    default_provider: str = ""
    aliases: Mapping[str, str] = field(default_factory=dict)
    passes_unknown: bool = True


def resolve(asked: str, table: RoutingTable) -> tuple[Route, ...]:
    """The routes for `asked`, best first; never empty.

    Raises:
        UnknownModel: nobody lists it and unknown models are not passed on.
        NoAccountAvailable: there is no provider at all.
    """
    if not table.catalogs:
        raise NoAccountAvailable(
            "No provider is configured.", hint="try `iflow2api serve --upstream URL` or `iflow2api serve --demo`"
        )
    name = _through_aliases(asked, table.aliases)
    provider, slash, rest = name.partition("/")
    if slash and provider.lower() in table.catalogs:
        return (_at(provider.lower(), rest, table.catalogs[provider.lower()]),)
    routes = tuple(
        route for route in (_at(key, name, catalog) for key, catalog in _by_preference(table)) if route.is_listed
    )
    if routes:
        return routes
    default = table.default_provider or next(iter(table.catalogs))
    if table.passes_unknown and default in table.catalogs:
        return (_at(default, name, table.catalogs[default]),)
    raise UnknownModel(
        f"The model `{asked}` does not exist here.{_suggestion(name, table)}",
        hint="see GET /v1/models or run `iflow2api models`",
        param="model",
    )


def describe(asked: str, table: RoutingTable) -> Described | None:
    """Who would answer for `asked`, and as what; None when nobody here knows the name, whether passed on or not."""
    try:
        route = resolve(asked, table)[0]
    except (UnknownModel, NoAccountAvailable):
        return None
    model, _ = table.catalogs[route.provider].split(route.model)
    if model is None and _through_aliases(asked, table.aliases) == asked:
        return None
    return Described(provider=route.provider, model=model or Model(id=asked))


def _through_aliases(name: str, aliases: Mapping[str, str]) -> str:
    for _ in range(_MOST_HOPS):
        target = aliases.get(name) or next(
            (to for pattern, to in aliases.items() if fnmatchcase(name.lower(), pattern.lower())), None
        )
        if target is None or target == name:
            return name
        name = target
    return name


def _by_preference(table: RoutingTable) -> Iterable[tuple[str, Catalog]]:
    first = table.default_provider
    if first in table.catalogs:
        yield first, table.catalogs[first]
    for key, catalog in table.catalogs.items():
        if key != first:
            yield key, catalog


def _at(provider: str, name: str, catalog: Catalog) -> Route:
    """The wish in a name stays for the provider to read."""
    model, wish = catalog.split(name)
    if model is None:
        return Route(provider=provider, model=name, is_listed=False)
    return Route(provider=provider, model=model.id + wish)


def _suggestion(name: str, table: RoutingTable) -> str:
    known = [model.id for catalog in table.catalogs.values() for model in catalog.listed()]
    near = get_close_matches(name, known, n=1)
    return f" Did you mean `{near[0]}`?" if near else ""
