"""A routing decision in words, for a person who wonders why a model went where it went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from iflow_cli_proxy.routing.names import entry_for
from iflow_cli_proxy.routing.resolve import (
    MOST_ROUTES,
    Leg,
    Route,
    RoutingTable,
    addressed,
    larger_context,
    legs,
    resolve,
)


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What `resolve` decides for a name, and why."""

    steps: tuple[str, ...]
    """Sentences, in the order things are looked at."""
    routes: tuple[Route, ...]


def explain(asked: str, table: RoutingTable) -> Decision:
    """Raises what `resolve` raises."""
    routes = resolve(asked, table)
    steps = (*_way(asked, table), *_end(routes, table))
    return Decision(steps=steps, routes=routes)


def alias_of(asked: str, table: RoutingTable) -> str:
    """What a name stands for in the end; empty when it is no alias."""
    path = next(legs(asked, table)).path
    return path[-1] if len(path) > 1 else ""


def _way(asked: str, table: RoutingTable) -> Iterator[str]:
    found: set[tuple[str, str]] = set()
    for leg in legs(asked, table):
        if len(found) >= MOST_ROUTES:
            yield f"No more than {MOST_ROUTES} routes are kept; what is written after them is left out."
            return
        if leg.written_for:
            yield f"`{leg.path[0]}` is a fallback: routing.fallbacks names it for `{leg.written_for}`."
        yield from _aliases(leg, table)
        yield _destination(leg, table)
        found |= {route.key for route in leg.routes}


def _aliases(leg: Leg, table: RoutingTable) -> Iterator[str]:
    for name, target in zip(leg.path, leg.path[1:], strict=False):
        entry = entry_for((name,), table.aliases)
        written = entry[0] if entry is not None else name
        yield f"`{name}` is an alias of `{target}`" + (
            "." if written.lower() == name.lower() else f": models.aliases has `{written}`."
        )


def _destination(leg: Leg, table: RoutingTable) -> str:
    name = leg.path[-1]
    if addressed(name, table)[0]:
        (route,) = leg.routes
        return f"`{name}` names its provider, {route.provider}" + (
            "." if route.is_listed else ", which does not list the model; it is asked all the same."
        )
    if not leg.routes:
        why = "it looks like the address of another" if table.takes_unknown else "unknown models are not passed on"
        return f"No provider lists `{name}`, and {why}: it is left out."
    if not leg.routes[0].is_listed:
        return f"Nobody lists `{name}`; it is passed on to {leg.routes[0].provider}, which takes unknown models."
    providers = [route.provider for route in leg.routes]
    if len(providers) > 1 and providers[0] == table.default_provider:
        return f"`{name}` is listed by {_joined(providers)}; {providers[0]} comes first as the default provider."
    return f"`{name}` is listed by {_joined(providers)}."


def _end(routes: tuple[Route, ...], table: RoutingTable) -> Iterator[str]:
    """Where a prompt goes that is too long for the first route."""
    first, larger = routes[0], larger_context(routes, routes[0], table)
    if larger:
        yield f"A prompt that is too long for {_sized(first)} goes to {_joined(map(_sized, larger))}."
    else:
        yield f"No route is known to take a longer prompt than {_sized(first)}."


def _sized(route: Route) -> str:
    return f"{route} ({route.context_tokens:,} tokens)" if route.context_tokens else f"{route} (window unknown)"


def _joined(words: Iterable[str]) -> str:
    *some, last = words
    return f"{', '.join(some)} and {last}" if some else last
