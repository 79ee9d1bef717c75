"""`iflow2api upstream`: providers that are only a URL and a key, and what they really support."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from iflow_cli_proxy.cli.output import ExitCode, ask, print_json, print_table, say
from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, Session, session
from iflow_cli_proxy.cli.speech import spoken

_KEY_VARIABLE: Final = "IFLOW2API_UPSTREAM_API_KEY"

app = typer.Typer(no_args_is_help=True, help="Upstreams by URL and key: added, listed, probed, removed.")


def _names_beginning(ctx: typer.Context, incomplete: str) -> list[str]:
    """What a shell offers for the name of an upstream. Silent about whatever is wrong."""
    from iflow_cli_proxy.cli.upstreams.tables import list_upstreams
    from iflow_cli_proxy.core.errors import GatewayError

    try:
        return [row.name for row in list_upstreams(session(ctx)) if row.name.startswith(incomplete)]
    except GatewayError:
        return []


NameArgument = Annotated[str, typer.Argument(metavar="NAME", autocompletion=_names_beginning)]


@app.command()
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9, - and _.")],
    base_url: Annotated[
        str, typer.Option("--base-url", metavar="URL", help="Where its API begins, such as http://127.0.0.1:9801/v1.")
    ] = "",
    key: Annotated[
        bool, typer.Option("--key", help=f"Ask for its API key, or read one line from a pipe; else {_KEY_VARIABLE}.")
    ] = False,
    kind: Annotated[
        str, typer.Option(metavar="KIND", help="iflow, qwen or a preset it behaves like; else as OpenAI's API does.")
    ] = "",
    models: Annotated[
        str, typer.Option(metavar="MODEL,...", help="Models it serves besides those it lists itself.")
    ] = "",
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Save without asking the upstream once.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Add an OpenAI-compatible upstream; a running gateway takes it up by itself.

    Writes [providers.NAME] into overrides.toml and keeps the key as an
    account, as `iflow2api login NAME --api-key` does. Exit codes: 0 added;
    2 wrong usage; 3 added, but its first call failed.
    """
    import asyncio

    from iflow_cli_proxy.cli.upstreams.adding import AddPlan, add

    opened = session(ctx, config)
    plan = AddPlan(
        session=opened,
        name=name,
        base_url=base_url,
        key=_key(opened, name, is_asked=key),
        kind=kind,
        models=tuple(filter(None, (each.strip() for each in models.split(",")))),
        verifies=not no_verify,
        as_json=as_json,
    )
    raise typer.Exit(asyncio.run(add(plan)))


@app.command("list")
def list_(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List providers: where they are, how many accounts they have, what a probe has found out."""
    from iflow_cli_proxy.cli.upstreams.tables import as_json as shape
    from iflow_cli_proxy.cli.upstreams.tables import list_upstreams

    rows = list_upstreams(session(ctx, config))
    if as_json:
        print_json({"upstreams": [shape(row) for row in rows]})
    elif rows:
        print_table(
            ("name", "url", "accounts", "from", "probed"),
            [
                (row.name if row.enabled else spoken(f"{row.name} (off)"), row.base_url, str(row.accounts), row.origin,
                 row.probed_at[:10])
                for row in rows
            ],
            spare=2,
            words=("from",),
        )  # fmt: skip
    else:
        say("There are none yet: `iflow2api upstream add NAME --base-url URL`.")


@app.command()
def probe(
    ctx: typer.Context,
    name: NameArgument,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="Which one is asked; else the first one listed.")
    ] = "",
    timeout: Annotated[float, typer.Option(metavar="S", min=1, help="Seconds for all of it.")] = 180.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is found; keep nothing.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Find out what an upstream really supports, by some twenty small calls, and keep it.

    The profile steers how requests are worded for it. A key that is refused,
    a limit that is reached or a model nobody knows ends the probe at once.
    """
    import asyncio

    from iflow_cli_proxy.cli.upstreams.probing import ProbePlan, probe_upstream

    plan = ProbePlan(
        session=session(ctx, config), name=name, model=model, timeout_s=timeout, only_shows=dry_run, as_json=as_json
    )
    asyncio.run(probe_upstream(plan))


@app.command()
def remove(
    ctx: typer.Context,
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Take an upstream out of overrides.toml, with its accounts and its profile."""
    from iflow_cli_proxy.cli.accounts.naming import confirmed
    from iflow_cli_proxy.cli.upstreams.tables import named, refuse_removal, remove_upstream
    from iflow_cli_proxy.core.errors import ConfigError

    opened = session(ctx, config)
    accounts = refuse_removal(opened, name)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("Nobody is here to confirm this.", param="--yes", hint="--yes removes without asking")
        if not confirmed(f"Remove {name}{f' and its accounts {named(accounts)}' if accounts else ''}?"):
            say("Nothing was removed.")
            raise typer.Exit(ExitCode.FAILED)
    remove_upstream(opened, name, accounts)
    if as_json:
        print_json({"removed": name.lower(), "accounts": [account.id for account in accounts]})
    else:
        say(f"{name.lower()} is removed.")


def _key(opened: Session, name: str, *, is_asked: bool) -> str:
    """The key that was asked for, else that of the environment; "" for none."""
    from iflow_cli_proxy.core.errors import ConfigError

    if not is_asked:
        return opened.environ.get(_KEY_VARIABLE, "").strip()
    found = ask(f"API key of {name}", is_secret=True).strip()
    if not found:
        raise ConfigError("No key came.", param="--key", hint="leave out --key for an upstream that needs none")
    return found
