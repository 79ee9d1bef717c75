"""A whole examination: what is looked at, in which order, and what becomes of a look that fails.

Our own things first, for everything else stands on them; then sign-ins and accounts; then, only when asked to, the
world. What can be repaired is repaired where it is found, so that what is looked at later is in order already.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, LoginRequired, StateError
from iflow_cli_proxy.doctor import accounts as account_checks
from iflow_cli_proxy.doctor import clients, clock, config, environment, files, port, program, sign_ins, store, upstreams
from iflow_cli_proxy.doctor.finding import Diagnosis, Finding, Group, Status
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.vendors import notices
from iflow_cli_proxy.doctor.visit import Caller, Visit, offset_of, plan
from iflow_cli_proxy.doctor.wording import reason_of
from iflow_cli_proxy.providers import is_known_name, kind_of
from iflow_cli_proxy.transport import open_transport
from iflow_cli_proxy.transport.base import TransportOptions
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.known import KnownAccount
from iflow_cli_proxy.wiring.transports import Transports

Tell: TypeAlias = Callable[[str], None]
Check: TypeAlias = Callable[[], Iterable[Finding] | Awaitable[Iterable[Finding]]]

PROVIDER: Final = "--provider"
"""Marks an error as one of usage: a name on the command line that fits nothing."""

_LOG: Final = logging.getLogger("iflow2api.doctor")
_LOCAL_CONNECT_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the person asked for."""

    providers: tuple[str, ...] = ()
    """Only these are visited; none: those that there are accounts for."""
    fixes: bool = False
    is_online: bool = False
    """Without it nothing leaves this machine."""


def silent(text: str) -> None:
    """Nobody wants to know."""


async def examine(
    machine: Machine,
    wish: Wish,
    *,
    tell: Tell = silent,
    announce: Tell = silent,
    ask: Callable[[str], str] | None = None,
    transports: Transports | None = None,
) -> Diagnosis:
    """`tell` hears which call goes out, `announce` what is about to be changed; `ask` opens sealed accounts.

    Raises:
        ConfigError: a provider was named that nobody knows.
    """
    chart = Chart(fixes=wish.fixes, announce=announce)
    async with AsyncExitStack() as stack:
        settings = await _look_at_settings(chart, machine)
        await chart.look(Group.PROGRAM, "the program", partial(program.examine, machine, settings))
        await chart.look(Group.FILES, "files and folders", partial(files.examine, machine))
        gateway = await _look_at_port(chart, settings, stack)
        await chart.look(Group.ENVIRONMENT, "the environment", partial(environment.examine, machine, settings))
        await chart.look(Group.SIGN_INS, "sign-ins of other programs", partial(sign_ins.examine, machine))
        await chart.look(Group.CLIENTS, "settings of clients", partial(clients.examine, machine, gateway))
        ward = await _open_ward(chart, machine, settings, wish, ask, transports, stack)
        visits: list[Visit] = []
        if ward is not None:
            await _look_at_accounts(chart, machine, ward, wish)
            visits = await _visit_upstreams(chart, machine, ward, wish, tell)
        await chart.look(Group.ENVIRONMENT, "the clock", lambda: [_judge_clock(machine, ward, visits)])
    return chart.diagnosis()


class Chart:
    """Where findings are written down; a look that fails is a finding too, and so is a repair that does."""

    def __init__(self, *, fixes: bool = False, announce: Tell = silent) -> None:
        self.findings: list[Finding] = []
        self._fixes = fixes
        self._announce = announce

    async def look(self, group: Group, subject: str, check: Check) -> None:
        self.findings += await self.findings_of(group, subject, check)

    async def findings_of(self, group: Group, subject: str, check: Check) -> list[Finding]:
        """What the check finds, as far as it comes, repaired where that is wished."""
        findings: list[Finding] = []
        try:
            found = check()
            for one in await found if inspect.isawaitable(found) else found:
                findings.append(one)  # one by one: what was found before a failure stays
        except Exception as error:
            _LOG.debug("looking at %s failed", subject, exc_info=True)
            hint = error.hint if isinstance(error, GatewayError) else ""
            text = f"could not be looked at: {reason_of(error)}"
            findings.append(Finding(group=group, status=Status.WARNING, subject=subject, text=text, action=hint))
        return [await self._repaired(one) if self._fixes else one for one in findings]

    async def _repaired(self, finding: Finding) -> Finding:
        if finding.repair is None:
            return finding
        self._announce(finding.repair.will)
        try:
            return finding.after(await finding.repair.do())
        except LoginRequired as error:
            return replace(
                finding,
                status=Status.FAILURE,
                text=error.message,
                action=error.hint or "iflow2api login",
                needs_login=True,
                repair=None,
            )
        except (GatewayError, OSError) as error:
            hint = error.hint if isinstance(error, GatewayError) else ""
            text = f"{finding.text}; could not be repaired: {reason_of(error)}"
            return replace(finding, text=text, action=hint or finding.action, repair=None)

    def diagnosis(self) -> Diagnosis:
        """Everything, group by group."""
        order = list(Group)
        return Diagnosis(sorted(self.findings, key=lambda one: order.index(one.group)))


# --- this machine ---------------------------------------------------------------------------------------------------


async def _look_at_settings(chart: Chart, machine: Machine) -> Settings:
    settings = Settings()

    def look() -> list[Finding]:
        nonlocal settings
        settings, mistakes = config.examine(machine)
        return mistakes

    await chart.look(Group.CONFIG, "the settings", look)
    return settings


async def _look_at_port(chart: Chart, settings: Settings, stack: AsyncExitStack) -> port.Gateway:
    transport = open_transport(TransportOptions(kind="plain", connect_timeout_s=_LOCAL_CONNECT_S))
    stack.push_async_callback(transport.aclose)
    gateway = port.Gateway(url=f"http://127.0.0.1:{settings.server.port}")

    async def look() -> list[Finding]:
        nonlocal gateway
        gateway = await port.find_gateway(settings.server, transport)
        return [await port.examine(settings.server, gateway)]

    await chart.look(Group.SERVER, "the port", look)
    return gateway


def _judge_clock(machine: Machine, ward: Ward | None, visits: Sequence[Visit]) -> Finding:
    offset_s = offset_of(visits)
    if offset_s is not None:
        return clock.judge_against(offset_s)
    saved_at = [one.saved.updated_at for one in ward.known] if ward is not None else []
    return clock.judge_alone(machine.clock.now(), saved_at)


# --- accounts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Ward:
    """The accounts, open."""

    settings: Settings
    accounts: Accounts
    known: tuple[KnownAccount, ...]

    def ended(self, providers: Iterable[str]) -> list[str]:
        """Of these providers the kinds whose vendor has something to say about its end; a relay has not."""
        known = [name for name in providers if is_known_name(name) or name in self.settings.providers]
        return [kind_of(name, self.accounts.table(name)) for name in known if self.accounts.sign_in(name).notice]


async def _open_ward(
    chart: Chart,
    machine: Machine,
    settings: Settings,
    wish: Wish,
    ask: Callable[[str], str] | None,
    transports: Transports | None,
    stack: AsyncExitStack,
) -> Ward | None:
    """Secrets are opened only where they are needed to call somebody; None when there is no getting in at all."""
    opened = partial(
        Accounts,
        settings,
        machine.paths,
        machine.environ,
        clock=machine.clock,
        home=machine.home,
        transports=transports,
        ask=ask,
    )
    try:
        try:
            accounts = opened(opens_secrets=wish.is_online)
        except StateError as error:
            chart.findings.append(account_checks.unopened(error))
            accounts = opened(opens_secrets=False)
        known = accounts.known()
    except (GatewayError, OSError) as error:
        problem = error if isinstance(error, GatewayError) else StateError(reason_of(error))
        chart.findings.append(account_checks.unopened(problem))
        return None
    stack.push_async_callback(accounts.aclose)
    stack.push_async_callback(accounts.refresher.aclose)
    return Ward(settings=settings, accounts=accounts, known=known)


async def _look_at_accounts(chart: Chart, machine: Machine, ward: Ward, wish: Wish) -> None:
    accounts, known = ward.accounts, ward.known
    now = machine.clock.now()
    live_ids = [one.saved.id for one in known if one.place is not None and not one.is_ours]
    is_encrypted = ward.settings.security.encrypt != "none"
    names = [*(one.saved.provider for one in known), *_named(wish)]
    await chart.look(
        Group.ACCOUNTS, "vendors", lambda: notices([*ward.ended(names), *sign_ins.kinds_here(machine)], now)
    )
    await chart.look(
        Group.FILES,
        "the folder of accounts",
        partial(store.examine, machine, accounts.store, live_ids, is_encrypted=is_encrypted),
    )
    check = partial(account_checks.examine, accounts, known, may_call=wish.is_online)
    await chart.look(Group.ACCOUNTS, "accounts", check)
    told = [one.text for one in chart.findings]
    rest = account_checks.as_findings(accounts.findings, machine.paths.accounts_dir, told)
    await chart.look(Group.ACCOUNTS, "accounts", lambda: rest)


# --- the world ------------------------------------------------------------------------------------------------------


async def _visit_upstreams(chart: Chart, machine: Machine, ward: Ward, wish: Wish, tell: Tell) -> list[Visit]:
    """Every provider that was named, else every one there are accounts for; all at once. Raises ConfigError."""
    is_config_valid = not any(one.is_failure for one in chart.findings if one.group is Group.CONFIG)
    for name in wish.providers if is_config_valid else ():
        _refuse_unknown(ward.accounts, name)
    if not wish.is_online:
        return []
    visits: list[Visit] = []
    known = ward.accounts.last_known()  # some may have been refreshed
    for name in _named(wish) or dict.fromkeys(one.saved.provider for one in known):
        try:
            visits.append(plan(ward.accounts, known, name))
        except GatewayError as error:
            chart.findings.append(upstreams.could_not(name, error))
    caller = Caller(tell)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                chart.findings_of(Group.UPSTREAMS, visit.name, partial(upstreams.examine, visit, machine, caller))
            )
            for visit in visits
        ]
    for task in tasks:
        chart.findings += task.result()
    return visits


def _named(wish: Wish) -> list[str]:
    return list(dict.fromkeys(name.lower() for name in wish.providers))


def _refuse_unknown(accounts: Accounts, name: str) -> None:
    try:
        accounts.table(name)
    except ConfigError as error:
        error.param = PROVIDER
        raise
