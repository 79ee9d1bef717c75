"""`iflow2api token`: the accounts of this person, looked at, brought in, kept alive and taken away."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from iflow_cli_proxy.cli.output import ExitCode, print_json, print_table, report, say
from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session

if TYPE_CHECKING:
    from collections.abc import Callable

    from iflow_cli_proxy.core.errors import GatewayError
    from iflow_cli_proxy.pool.saved import SavedAccount
    from iflow_cli_proxy.state.accounts import AccountStore
    from iflow_cli_proxy.wiring.accounts import KnownAccount

_CALLED: Final = "By label, provider/label, id, or the beginning of an id."

app = typer.Typer(no_args_is_help=True, help="Look at accounts, bring them in and keep them alive.")


def _labels_beginning(ctx: typer.Context, incomplete: str) -> list[str]:
    """What a shell offers for the name of an account."""
    from iflow_cli_proxy.cli.accounts.naming import names_to_complete

    return [name for name in names_to_complete(session(ctx)) if name.startswith(incomplete)]


AccountArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help=_CALLED, autocompletion=_labels_beginning)
]
AccountsArgument: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="ACCOUNT", help=_CALLED, autocompletion=_labels_beginning)
]
AnyAccountsArgument: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="ACCOUNT", help=f"{_CALLED} None: all.", autocompletion=_labels_beginning),
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
PassphraseFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="Its first line opens the bundle; else IFLOW2API_PASSPHRASE, or asked.",
    ),
]


@app.command("list")
def list_accounts(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List every account: ours, sign-ins of other programs, and keys of the configuration."""
    from iflow_cli_proxy.cli.accounting.today import read_today
    from iflow_cli_proxy.cli.accounts import view as view
    from iflow_cli_proxy.cli.accounts.naming import open_accounts, tell

    opened = session(ctx, config)
    accounts, paths = open_accounts(opened, opens_secrets=False), opened.paths()
    known, now = view.in_order(accounts.known()), accounts.clock.now()
    today = read_today(paths.ledger_file, now)
    if as_json:
        shapes = [view.as_json(one, paths, now, today.of(one.saved.provider, one.saved.label)) for one in known]
        print_json({"accounts": shapes, "findings": [view.finding_json(one) for one in accounts.findings]})
    elif known:
        rows = [view.row(one, now, today.of(one.saved.provider, one.saved.label)) for one in known]
        print_table(view.COLUMNS, rows, spare=view.SPARE_COLUMNS, words=view.WORDS)
    else:
        say(view.NOTHING_YET)
    tell(accounts.findings)


@app.command()
def show(
    ctx: typer.Context,
    account: AccountArgument,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show secrets in full.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show everything about one account."""
    from iflow_cli_proxy.cli.accounting.today import read_today
    from iflow_cli_proxy.cli.accounts import view as view
    from iflow_cli_proxy.cli.accounts.naming import find, open_accounts, tell

    opened = session(ctx, config)
    accounts, paths = open_accounts(opened, opens_secrets=reveal), opened.paths()
    known = accounts.known()
    tell(accounts.findings)
    one, now = find(known, account), accounts.clock.now()
    today = read_today(paths.ledger_file, now).of(one.saved.provider, one.saved.label)
    if as_json:
        print_json(view.as_json(one, paths, now, today, reveal=reveal))
    else:
        print_table(("what", "value"), view.details(one, paths, now, today, reveal=reveal), words=("what",))


@app.command()
def enable(
    ctx: typer.Context, account: AccountsArgument, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Use accounts again: also clears `needs login`, `refused` and a rest."""
    from iflow_cli_proxy.core.clock import SystemClock
    from iflow_cli_proxy.pool.saved import enabled

    as_it_was = partial(enabled, now=SystemClock().now())
    _change(ctx, account, config, as_json, "enabled", lambda store, one: store.change(one.id, as_it_was))


@app.command()
def disable(
    ctx: typer.Context, account: AccountsArgument, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Leave accounts out until they are enabled again."""
    from iflow_cli_proxy.pool.saved import disabled

    _change(ctx, account, config, as_json, "disabled", lambda store, one: store.change(one.id, disabled))


@app.command()
def delete(
    ctx: typer.Context,
    account: AccountsArgument,
    yes: YesOption = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Delete accounts of ours, credentials included."""
    _change(ctx, account, config, as_json, "deleted", lambda store, one: store.delete(one.id), must_ask=not yes)


@app.command()
def refresh(
    ctx: typer.Context,
    account: AnyAccountsArgument = None,
    everyone: Annotated[bool, typer.Option("--all", help="All of them, which is also meant by naming none.")] = False,
    within: Annotated[
        str, typer.Option(metavar="TIME", help="Those that end within 90s, 30m, 24h or 7d.", show_default="by provider")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also those that are not due, or wait after a failure.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only failures, one line each on stderr.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Fetch new tokens for sign-ins that are about to end; made for cron, and safe beside a running server.

    Exit codes: 0 all fine or nothing to do; 1 all failed for reasons that may pass; 2 wrong usage; 3 some failed;
    4 what is left needs a login.
    """
    import asyncio

    from iflow_cli_proxy.cli.accounts.refreshing import Plan, refresh_accounts, seconds_of
    from iflow_cli_proxy.core.errors import ConfigError

    if everyone and account:
        raise ConfigError("Either name accounts or say --all.", param="--all")
    plan = Plan(
        session=session(ctx, config),
        names=tuple(account or ()),
        within_s=seconds_of(within) if within else None,
        is_forced=force,
        is_quiet=quiet,
        as_json=as_json,
    )
    raise typer.Exit(asyncio.run(refresh_accounts(plan)))


@app.command("import")
def import_(
    ctx: typer.Context,
    path: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="Files or folders; none: all known places.")
    ] = None,
    program: Annotated[
        str, typer.Option("--from", metavar="NAME", help="Only this program's: iflow-cli, qwen-code, iflow2api, ...")
    ] = "",
    yes: YesOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    passphrase_file: PassphraseFileOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Bring in accounts of other programs, or of `token export`. Their files are only read."""
    from iflow_cli_proxy.cli.accounts.importing import Wish, import_accounts

    wish = Wish(
        session=session(ctx, config),
        paths=tuple(path or ()),
        program=program,
        is_agreed=yes,
        is_rehearsal=dry_run,
        as_json=as_json,
        passphrase_file=passphrase_file,
    )
    raise typer.Exit(import_accounts(wish))


@app.command()
def export(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write, mode 0600.")],
    account: AnyAccountsArgument = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    passphrase_file: PassphraseFileOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write accounts of ours into one encrypted file, for `token import` on another machine."""
    from iflow_cli_proxy.cli.accounts.exporting import export_accounts
    from iflow_cli_proxy.cli.accounts.naming import name_of

    opened = session(ctx, config)
    written = export_accounts(opened, account or [], output, passphrase_file, overwrites=force)
    if as_json:
        shapes = [{"id": one.id, "provider": one.provider, "label": one.label} for one in written]
        print_json({"written": str(output), "accounts": shapes})
    else:
        say(f"Wrote {', '.join(map(name_of, written))} to {output}.")
        if any(one.can_refresh for one in written):
            say("Use them in one place only: a refresh there ends the copies here.", "yellow")


def _change(
    ctx: typer.Context,
    names: list[str],
    config: Path | None,
    as_json: bool,
    done: str,
    change: Callable[[AccountStore, SavedAccount], object],
    *,
    must_ask: bool = False,
) -> None:
    """Do one thing to each account, after all of them are found to be ours; what fails is told beside the others."""
    from iflow_cli_proxy.cli.accounts.naming import find_all, name_of, open_accounts, refuse_foreign
    from iflow_cli_proxy.core.errors import GatewayError

    accounts = open_accounts(session(ctx, config))
    chosen = find_all(accounts.known(), names)
    for one in chosen:
        refuse_foreign(one, done)
    if must_ask and not _agreed(chosen):
        say("Nothing was deleted.")
        raise typer.Exit(ExitCode.FAILED)
    failures: dict[str, GatewayError] = {}
    for one in chosen:
        try:
            change(accounts.store, one.saved)
        except GatewayError as error:
            failures[one.saved.id] = error
            report(error)
        else:
            if not as_json:
                say(f"{name_of(one.saved)} is {done}.")
    if as_json:
        ids = [one.saved.id for one in chosen]
        print_json({done: [id for id in ids if id not in failures], "failed": list(failures)})
    if failures:
        raise typer.Exit(ExitCode.FAILED if len(failures) == len(chosen) else ExitCode.PARTLY_FAILED)


def _agreed(chosen: list[KnownAccount]) -> bool:
    from iflow_cli_proxy.cli.accounts.naming import confirmed, name_of
    from iflow_cli_proxy.core.errors import ConfigError

    if not sys.stdin.isatty():
        raise ConfigError("Nobody is here to confirm this.", param="--yes", hint="--yes deletes without asking")
    return confirmed(f"Delete {', '.join(name_of(one.saved) for one in chosen)}?")
