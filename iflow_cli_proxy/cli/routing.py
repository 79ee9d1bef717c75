"""Where a model would go now: the decision in words, its routes, and who could serve each.

Imported only by `models --route`. Sends nothing to any upstream unless their own lists are wanted too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from iflow_cli_proxy.cli.accounts.view import state_text
from iflow_cli_proxy.cli.listing import Problem, open_services, problems_in, say_problems
from iflow_cli_proxy.cli.output import ExitCode, print_json, print_table, print_text, printable, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.routing.explain import explain
from iflow_cli_proxy.routing.resolve import Route
from iflow_cli_proxy.wiring.known import KnownAccount, is_resting, state_word
from iflow_cli_proxy.wiring.services import Services

_MENDED_BY_SIGN_IN: Final = frozenset({"needs_login", "refused", "expired", "empty"})


@dataclass(frozen=True, kw_only=True)
class AccountRow:
    """One account of a route's provider as `models --route --json` shows it."""

    id: str
    label: str
    state: str
    """As in `token list --json`."""
    usable: bool
    """Requests could go out on it now."""


@dataclass(frozen=True, kw_only=True)
class RouteRow:
    """One route, in the order they are tried; `context_window` is 0 where nobody knows."""

    provider: str
    model: str
    listed: bool
    fallback: bool
    context_window: int
    accounts: list[AccountRow]

    @property
    def is_usable(self) -> bool:
        return any(account.usable for account in self.accounts)


@dataclass(frozen=True, kw_only=True)
class RoutePlan:
    """The whole answer."""

    model: str
    steps: list[str]
    routes: list[RouteRow]
    problems: list[Problem]

    @property
    def exit_code(self) -> ExitCode:
        if any(route.is_usable for route in self.routes):
            return ExitCode.OK
        states = {account.state for route in self.routes for account in route.accounts}
        return ExitCode.LOGIN_NEEDED if states & _MENDED_BY_SIGN_IN else ExitCode.FAILED


async def show_route(session: Session, asked: str, upstream: str, *, asks_upstreams: bool, as_json: bool) -> ExitCode:
    """Print where `asked` would go. Raises GatewayError when it would go nowhere."""
    services = open_services(session, upstream)
    try:
        problems = problems_in(await services.list_upstream_models()) if asks_upstreams else []
        plan = find_route(services, asked, problems)
        texts = [_account_texts(services, route) for route in plan.routes]
    finally:
        await services.aclose()
    if as_json:
        print_json(asdict(plan))
    else:
        _print(plan, texts)
    say_problems(problems)
    if plan.exit_code is not ExitCode.OK:
        provider = plan.routes[0].provider
        say("No account could serve this now.", "yellow")
        say(f"Hint: `iflow2api token list` tells why; `iflow2api login {provider}` adds one", "cyan")
    return plan.exit_code


def find_route(services: Services, asked: str, problems: Sequence[Problem] = ()) -> RoutePlan:
    """Raises UnknownModel and NoAccountAvailable (there is no provider)."""
    decision = explain(asked, services.wired.gateway.table)
    return RoutePlan(
        model=asked,
        steps=[*decision.steps],
        routes=[_route_row(services, route) for route in decision.routes],
        problems=[*problems],
    )


def _route_row(services: Services, route: Route) -> RouteRow:
    now = services.clock.now()
    accounts = [
        AccountRow(
            id=one.saved.id,
            label=one.saved.label,
            state=state_word(one, now),
            usable=_is_usable(services, one, route.model),
        )
        for one in _accounts(services, route.provider)
    ]  # fmt: skip
    return RouteRow(
        provider=route.provider,
        model=route.model,
        listed=route.is_listed,
        fallback=route.is_fallback,
        context_window=route.context_tokens,
        accounts=accounts,
    )


def _accounts(services: Services, provider: str) -> Iterable[KnownAccount]:
    return (one for one in services.accounts.last_known() if one.saved.provider == provider)


def _is_usable(services: Services, one: KnownAccount, model: str) -> bool:
    in_use = {standing.account.id for standing in services.pool.standings(one.saved.provider)}
    return one.saved.id in in_use and not is_resting(one.saved, services.clock.now(), model)


def _account_texts(services: Services, route: RouteRow) -> str:
    """Who could serve by label, the others with what keeps them from it."""
    return ", ".join(
        _account_text(services, one, route.model) for one in _accounts(services, route.provider)
    ) or spoken("none")


def _account_text(services: Services, one: KnownAccount, model: str) -> str:
    if _is_usable(services, one, model):
        return one.saved.label
    now = services.clock.now()
    why = "not just now" if state_word(one, now) == "ok" else state_text(one, now)
    return f"{one.saved.label} ({spoken(why)})"


def _print(plan: RoutePlan, texts: Iterable[str]) -> None:
    for number, step in enumerate(plan.steps, start=1):
        print_text(f"{number}. {printable(spoken(step))}")
    print_text("")
    print_table(
        ("route", "accounts", "context", ""),
        [
            (f"{row.provider}/{row.model}", text, f"{row.context_window:,}" if row.context_window else "",
             "fallback" if row.fallback else "")
            for row, text in zip(plan.routes, texts, strict=True)
        ],
        spare=2,
        words=("",),
    )  # fmt: skip
