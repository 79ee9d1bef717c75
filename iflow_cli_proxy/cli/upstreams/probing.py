"""One `upstream probe`: which account and model, how it goes, and what is kept of it. Imported only by `upstream`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from iflow_cli_proxy.cli.listing import open_services
from iflow_cli_proxy.cli.output import console, print_json, print_table, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, LoginRequired
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.gateway.trials.calls import Caller
from iflow_cli_proxy.gateway.trials.probing import Probed, probe_features
from iflow_cli_proxy.state.profiles import keep_profile, profile_place
from iflow_cli_proxy.wiring.services import Services


@dataclass(frozen=True, kw_only=True)
class ProbePlan:
    """The arguments of one `upstream probe`."""

    session: Session
    name: str
    model: str = ""
    timeout_s: float = 180.0
    call_s: float = 45.0
    only_shows: bool = False
    as_json: bool = False


async def probe_upstream(plan: ProbePlan) -> None:
    """Ask, tell, and keep what was found. Raises GatewayError when nothing could be found out."""
    folder = plan.session.paths().profiles_dir
    profile_place(folder, plan.name)  # before anything is spent on a name that cannot be kept
    services = open_services(plan.session, "")
    async with aclosing(services):
        caller = await _caller(services, plan)
        try:
            probed = await _watched(caller)
        except GatewayError as error:
            error.hint = error.hint or f"`iflow2api doctor --online` looks at {plan.name} from all sides"
            raise
    if not plan.only_shows:
        keep_profile(folder, plan.name, probed.profile, model=caller.model, now=services.clock.now())
    _tell(plan, caller.model, probed)


async def _caller(services: Services, plan: ProbePlan) -> Caller:
    name, known = plan.name.lower(), services.wired.gateway.upstreams
    if name not in known:
        raise ConfigError(
            f"There is no upstream called {plan.name!r}.",
            param="--name",
            hint=f"known: {', '.join(known)}" if known else "iflow2api upstream add NAME --base-url URL",
        )
    account = next((standing.account for standing in services.pool.standings(name)), None)
    if account is None:
        raise LoginRequired(f"{name} has no account that could be used.", hint=f"iflow2api login {name}")
    model = plan.model or await _first_model(services, name)
    now = services.clock.monotonic
    return Caller(
        known[name], account, model, now=now, ends_at=now() + plan.timeout_s, call_s=min(plan.call_s, plan.timeout_s)
    )


async def _first_model(services: Services, name: str) -> str:
    listed = services.wired.gateway.upstreams[name].provider.catalog.listed()
    if not listed:
        outcome = await services.list_upstream_models()
        if (error := outcome.get(name)) is not None:
            raise error
        listed = services.wired.gateway.upstreams[name].provider.catalog.listed()
    if not listed:
        raise ConfigError(f"{name} lists no models.", param="--model", hint="name one with --model")
    return listed[0].id


async def _watched(caller: Caller) -> Probed:
    """With a line on a screen that says what is asked just now."""
    screen = console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("asking", total=None)

        def tell(name: str, number: int, count: int) -> None:
            progress.update(task, description=name, completed=number - 1, total=count)

        return await probe_features(caller, tell)


def _tell(plan: ProbePlan, model: str, probed: Probed) -> None:
    profile: Mapping[str, Json] = jsonx.to_builtins(probed.profile)
    if plan.as_json:
        print_json(
            {
                "provider": plan.name.lower(),
                "model": model,
                "calls": probed.calls,
                "kept": not plan.only_shows,
                "profile": profile,
                "trials": [asdict(line) for line in probed.lines],
            }
        )
        return
    rows = [(line.trial, line.answer, line.remark) for line in probed.lines]
    print_table(("what", "answer", "remark"), rows, spare=1, words=("what", "answer", "remark"))
    kept = "kept; a running gateway takes it up within two seconds" if not plan.only_shows else "not kept"
    say(f"{plan.name.lower()} was asked {probed.calls} times with {model}; the profile is {kept}.", "dim")
