"""`iflow2api doctor`: what is wrong here, and the command that repairs it."""

from __future__ import annotations

from typing import Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session


def doctor(
    ctx: typer.Context,
    provider: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PROVIDER...]", help="With --online, visit only these; none: all with accounts."),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired, and say what was done.")] = False,
    online: Annotated[bool, typer.Option("--online", help="Call the upstreams too; else nothing leaves here.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Look at the settings, files, port, accounts and clients of this machine, and say how to repair what is wrong.

    --fix closes files to other users, deletes what killed programs left behind, takes stale locks away and sets damaged
    accounts aside; with --online it refreshes sign-ins that have ended, too. It changes modes of other programs' files
    and nothing else of them, and never an owner.

    --online looks at names, certificates and answers of the upstreams, and makes one cheap call with each account.

    Exit codes: 0 nothing is worse than a warning; 1 there are failures; 4 signing in ends all of them; 2 wrong usage.

    With --json one object: findings, each with group (program, config, files, server, environment, accounts, sign-ins,
    clients, upstreams), status (ok, note, warning, failure, gone), subject, text, action, needs_login, can_fix and
    repaired; counts by status; exit_code.
    """
    import asyncio

    from iflow_cli_proxy.cli.examining import Plan, run_doctor

    plan = Plan(
        session=session(ctx, config), providers=tuple(provider or ()), fixes=fix, is_online=online, as_json=as_json
    )  # fmt: skip
    raise typer.Exit(asyncio.run(run_doctor(plan)))
