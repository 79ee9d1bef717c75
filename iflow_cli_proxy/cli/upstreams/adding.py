"""One `upstream add`: kept, tried once, told. Imported only by `upstream`."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from iflow_cli_proxy.cli.output import ExitCode, print_json, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.upstreams.tables import add_upstream
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.wiring.accounts import Accounts, Verdict


@dataclass(frozen=True, kw_only=True)
class AddPlan:
    """The arguments of one `upstream add`."""

    session: Session
    name: str
    base_url: str
    key: str = ""
    kind: str = ""
    models: tuple[str, ...] = ()
    verifies: bool = True
    as_json: bool = False


async def add(plan: AddPlan) -> ExitCode:
    """Raises GatewayError, and then nothing was kept."""
    accounts, account = add_upstream(
        plan.session, plan.name, plan.base_url, plan.key, kind=plan.kind, models=plan.models
    )
    name = plan.name.strip().lower()
    verdict: Verdict | None = None
    async with aclosing(accounts):
        if plan.verifies:
            verdict = await _verdict(accounts, name, account)
    if plan.as_json:
        print_json(
            {
                "name": name,
                "base_url": plan.base_url,
                "account": account.id if account else None,
                "verified": None if verdict is None else verdict.error is None,
                "models": verdict.models if verdict else None,
                "error": _told(verdict.error) if verdict and verdict.error else None,
            }
        )
    say(f"{name} is added{f', with the account {account.label}' if account else ''}.", "green")
    if verdict is not None and verdict.error is not None:
        say(f"It could not be used yet: {verdict.error.message}", "yellow")
        say(f"Hint: {verdict.error.hint or '`iflow2api doctor --online` finds out why'}", "cyan")
        return ExitCode.PARTLY_FAILED
    if verdict is not None and verdict.models is not None:
        say(f"It lists {verdict.models} model{'' if verdict.models == 1 else 's'}.")
    say(f"Next: `iflow2api upstream probe {name}` finds out what it supports.", "cyan")
    return ExitCode.OK


async def _verdict(accounts: Accounts, name: str, account: SavedAccount | None) -> Verdict:
    """What one cheap call says, with the key or without one."""
    keyless = SavedAccount(id=name, provider=name, label=name, auth_type=AuthType.API_KEY)
    return await accounts.verify(account or keyless)


def _told(error: GatewayError) -> dict[str, str]:
    return {"kind": error.kind, "message": error.message, "hint": error.hint}
