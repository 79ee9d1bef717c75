"""A model's name to the ordered routes it may take. A pure function of names and catalogues."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

import msgspec

from iflow_cli_proxy.core.errors import NoAccountAvailable, UnknownModel
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.routing.names import entry_for, family, through_aliases

MOST_ROUTES: Final = 16
"""No request walks further."""
_LATEST: Final = ":latest"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where one attempt may go. `model` is the provider's own name, in its own spelling."""

    provider: str
    model: str
    is_listed: bool = True
    """The provider's catalogue knows the model."""
    is_fallback: bool = False
    """It stands in for what was asked for."""
    context_tokens: int = 0
    """The model's window; 0 where nobody knows."""

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"

    @property
    def key(self) -> tuple[str, str]:
        """Two routes with the same one lead to the same place."""
        return self.provider, self.model.lower()


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One name on the way, the one asked for or a fallback, and where it leads."""

    path: tuple[str, ...]
    """The name as it is written, then what each alias makes of it."""
    routes: tuple[Route, ...]
    """None when nobody lists it and unknown models are not passed on."""
    written_for: str = ""
    """Whose fallback it is, as on the left of `routing.fallbacks`; empty for the name asked for."""


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
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What to try when a model fails, in order; globs are allowed on the left, and each name has its own in turn."""
    passes_unknown: bool = True

    @property
    def takes_unknown(self) -> str:
        """The provider for models that nobody lists; empty when there is none."""
        default = self.default_provider or next(iter(self.catalogs), "")
        return default if self.passes_unknown and default in self.catalogs else ""


def resolve(asked: str, table: RoutingTable) -> tuple[Route, ...]:
    """The routes for `asked`, best first, then those of its fallbacks; never empty, no two alike.

    Raises:
        UnknownModel: nobody lists it, unknown models are not passed on, and no fallback is written for it.
        NoAccountAvailable: there is no provider at all.
    """
    if not table.catalogs:
        raise NoAccountAvailable(
            "No provider is configured.", hint="try `iflow2api serve --upstream URL` or `iflow2api serve --demo`"
        )
    found: dict[tuple[str, str], Route] = {}
    for leg in legs(asked, table):
        for route in leg.routes:
            found.setdefault(route.key, route)
        if len(found) >= MOST_ROUTES:
            break
    if not found:
        raise UnknownModel(
            f"The model `{asked}` does not exist here.{_suggestion(through_aliases(asked, table.aliases)[-1], table)}",
            hint="see GET /v1/models or run `iflow2api models`",
            param="model",
        )
    return tuple(found.values())[:MOST_ROUTES]


def legs(asked: str, table: RoutingTable) -> Iterator[Leg]:
    """The name asked for, its fallbacks in order, then theirs; each name once, so that a loop ends."""
    todo = deque([(untagged(asked, table), "")])
    seen: set[str] = set()
    first: tuple[Route, ...] = ()
    wish = ""
    while todo:
        name, written_for = todo.popleft()
        path = through_aliases(name, table.aliases)
        if path[-1].lower() in seen:
            continue
        seen.add(path[-1].lower())
        if written_for:
            routes = _fallbacks(path[-1], wish, first, table)
        else:
            first = routes = _routes(path[-1], table)
            wish = _wish(first, table)
        yield Leg(path=path, routes=routes, written_for=written_for)
        chain = entry_for(_called(path, table), table.fallbacks)
        if chain is not None:
            todo.extend((each, chain[0]) for each in chain[1])


def larger_context(routes: tuple[Route, ...], at: Route, table: RoutingTable) -> tuple[Route, ...]:
    """Where a prompt may go that was too long at `at`: only to windows that are known to be larger.

    First the routes after `at`, in their order. Then, smallest first, what the same provider lists as the same model
    with a longer window (`kimi-8k`, `kimi-128k`): nobody is answered by a model that no one has named.
    """
    after = routes[routes.index(at) + 1 :] if at in routes else routes
    larger = tuple(route for route in after if route.context_tokens > at.context_tokens)
    known = {route.key for route in routes}
    longer = sorted(_longer_editions(at, table), key=lambda route: route.context_tokens)
    return (*larger, *(route for route in longer if route.key not in known))


def describe(asked: str, table: RoutingTable) -> Described | None:
    """Who would answer for `asked`, and as what; None when nobody here knows the name, whether passed on or not."""
    asked = untagged(asked, table)
    route = next((route for leg in legs(asked, table) for route in leg.routes), None)
    if route is None:
        return None
    model, _ = table.catalogs[route.provider].split(route.model)
    if model is None and len(through_aliases(asked, table.aliases)) == 1:
        return None
    return Described(provider=route.provider, model=model or Model(id=asked))


def untagged(asked: str, table: RoutingTable) -> str:
    """`name:latest` is `name`, as Ollama's clients have it, unless somebody lists it or only it."""
    bare = asked[: -len(_LATEST)]
    if not asked.lower().endswith(_LATEST) or _is_known(asked, table) or not _is_known(bare, table):
        return asked
    return bare


def _is_known(name: str, table: RoutingTable) -> bool:
    return len(through_aliases(name, table.aliases)) > 1 or any(route.is_listed for route in _routes(name, table))


def by_preference(table: RoutingTable) -> Iterator[tuple[str, Catalog]]:
    """The default provider first, then the others in their order."""
    first = table.default_provider
    if first in table.catalogs:
        yield first, table.catalogs[first]
    for key, catalog in table.catalogs.items():
        if key != first:
            yield key, catalog


def addressed(name: str, table: RoutingTable) -> tuple[str, str]:
    """The provider that `provider/model` names, and the rest; no provider when it names none of ours."""
    provider, slash, rest = name.partition("/")
    return (provider.lower(), rest) if slash and provider.lower() in table.catalogs else ("", name)


def _routes(name: str, table: RoutingTable) -> tuple[Route, ...]:
    """Those of one name, aliases and fallbacks left aside."""
    provider, rest = addressed(name, table)
    if provider:
        return (_at(provider, rest, table.catalogs[provider]),)
    everywhere = (_at(key, name, catalog) for key, catalog in by_preference(table))
    listed = tuple(route for route in everywhere if route.is_listed)
    if listed or not table.takes_unknown:
        return listed
    return (_at(table.takes_unknown, name, table.catalogs[table.takes_unknown]),)


def _at(provider: str, name: str, catalog: Catalog) -> Route:
    """The wish in a name stays for the provider to read."""
    model, wish = catalog.split(name)
    if model is None:
        return Route(provider=provider, model=name, is_listed=False)
    return Route(provider=provider, model=model.id + wish, context_tokens=model.context_tokens)


def _called(path: Iterable[str], table: RoutingTable) -> Iterator[str]:
    """What a chain of fallbacks may be written for: each name on the way, then the same without provider and wish."""
    path = tuple(path)
    yield from path
    for name in path:
        provider, rest = addressed(name, table)
        if provider:
            yield rest
        for key, catalog in table.catalogs.items():
            model, wish = catalog.split(rest)
            if model is not None and wish and provider in ("", key):
                bare = rest.removesuffix(wish)
                yield from (f"{provider}/{bare}", bare) if provider else (bare,)


def _wish(routes: Iterable[Route], table: RoutingTable) -> str:
    """The `(high)` of `name(high)`; empty when the name has none."""
    return next((wish for route in routes if (wish := table.catalogs[route.provider].split(route.model)[1])), "")


def _fallbacks(name: str, wish: str, first: Iterable[Route], table: RoutingTable) -> tuple[Route, ...]:
    """What stands in for the routes asked for `first`.

    A route inherits the wish of those where its provider is one of theirs; another may not read it. What reads like
    the address of a provider that is not here is nobody's model, unless the default provider lists none at all.
    """
    providers = {route.provider for route in first}
    found = []
    for route in _routes(name, table):
        is_elsewhere = "/" in name and not addressed(name, table)[0] and bool(table.catalogs[route.provider])
        if is_elsewhere and not route.is_listed:
            continue
        inherits = route.is_listed and route.provider in providers and not _wish((route,), table)
        found.append(
            msgspec.structs.replace(route, model=route.model + wish if inherits else route.model, is_fallback=True)
        )
    return tuple(found)


def _longer_editions(at: Route, table: RoutingTable) -> Iterator[Route]:
    catalog = table.catalogs[at.provider]
    model, wish = catalog.split(at.model)
    if model is None:
        return
    wanted = family(model.id)
    for other in catalog.listed():
        if other.context_tokens > at.context_tokens and family(other.id) == wanted:
            yield Route(
                provider=at.provider, model=other.id + wish, is_fallback=True, context_tokens=other.context_tokens
            )


def _suggestion(name: str, table: RoutingTable) -> str:
    known = [model.id for catalog in table.catalogs.values() for model in catalog.listed()]
    near = get_close_matches(name, known, n=1)
    return f" Did you mean `{near[0]}`?" if near else ""
