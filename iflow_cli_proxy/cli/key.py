"""`iflow2api key`: what callers show at the door, made, looked at, replaced and taken away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from iflow_cli_proxy.cli.output import ExitCode, print_json, print_table, print_text, say
from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, Session, session

if TYPE_CHECKING:
    from iflow_cli_proxy.state.keys import KeyFile

_ONCE: Final = "This is the only time it is shown. A running gateway takes it up within two seconds."

app = typer.Typer(no_args_is_help=True, help="Client keys: who may call the gateway, and how much.")


def _names_beginning(ctx: typer.Context, incomplete: str) -> list[str]:
    """What a shell offers for the name of a key. Silent about whatever is wrong."""
    from iflow_cli_proxy.core.errors import GatewayError

    try:
        return [key.name for key in _file(session(ctx)).load().keys if key.name.startswith(incomplete)]
    except GatewayError:
        return []


NameArgument: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", autocompletion=_names_beginning)]
GlobsOption: TypeAlias = list[str] | None


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="a-z, 0-9, - and _.")],
    models: Annotated[
        GlobsOption,
        typer.Option(
            metavar="GLOB,...",
            help="Only these models, by the name asked for or its target; fallbacks have to fit themselves.",
        ),
    ] = None,
    accounts: Annotated[
        GlobsOption, typer.Option(metavar="GLOB,...", help="Only accounts whose provider/label fits.")
    ] = None,
    pool: Annotated[str, typer.Option(metavar="POOL", help="Only accounts of this pool of the configuration.")] = "",
    rpm: Annotated[int, typer.Option(metavar="N", min=0, help="Requests a minute; 0: no limit.")] = 0,
    tpm: Annotated[int, typer.Option(metavar="N", min=0, help="Tokens a minute; 0: no limit.")] = 0,
    concurrency: Annotated[int, typer.Option(metavar="N", min=0, help="Requests at one time; 0: no limit.")] = 0,
    budget: Annotated[
        str,
        typer.Option(
            metavar="AMOUNT", help="1000000 for tokens, 5usd for money, as far as prices are known (prices.toml)."
        ),
    ] = "",
    per: Annotated[str, typer.Option(metavar="day|month", help="Of the budget, in UTC.", show_default="month")] = "",
    expires: Annotated[str, typer.Option(metavar="WHEN", help="After 30d, 12h, or at 2027-01-31 (UTC).")] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="For people.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a key and print it, once: only a hash is kept."""
    import os

    from iflow_cli_proxy.core.clock import SystemClock
    from iflow_cli_proxy.pool.client_key import digest_of, new_secret
    from iflow_cli_proxy.state import key_shapes as shapes
    from iflow_cli_proxy.state.key_wishes import Wish, check_pool, key_from

    opened, now, secret = session(ctx, config), SystemClock().now(), new_secret(os.urandom)
    wish = Wish(
        name=name,
        models=tuple(models or ()),
        accounts=tuple(accounts or ()),
        pool=pool,
        rpm=rpm,
        tpm=tpm,
        concurrency=concurrency,
        budget=budget,
        per=per,
        expires=expires,
        note=note,
    )
    key = key_from(wish, digest_of(secret.reveal()), now)
    check_pool(pool, opened.load()[0].pools if pool else ())
    _file(opened).add(key)
    if as_json:
        print_json({"key": secret.reveal(), **shapes.as_json(key, now)})
        return
    print_text(secret.reveal())
    say(f"{name} is made. {_ONCE}")
    if key.budget is not None and key.budget.unit == "usd":
        say("Only models with a known price count towards it; prices.toml adds yours.", "yellow")


@app.command("list")
def list_keys(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List every key, those of the configuration too."""
    from iflow_cli_proxy.cli.keys import view as view
    from iflow_cli_proxy.core.clock import SystemClock
    from iflow_cli_proxy.state import key_shapes as shapes

    opened = session(ctx, config)
    loaded, now = _file(opened).load(), SystemClock().now()
    settings, _ = opened.load()
    configured = settings.auth.client_keys
    if as_json:
        listed = [shapes.as_json(key, now) for key in loaded.keys]
        print_json({"keys": listed + [shapes.configured_json(*one) for one in enumerate(configured, 1)]})
    elif loaded.keys or configured:
        rows = [view.row(key, now) for key in loaded.keys]
        rows += [view.configured_row(*one) for one in enumerate(configured, 1)]
        print_table(view.COLUMNS, rows, spare=view.SPARE_COLUMNS, words=view.WORDS)
    else:
        say("There are no client keys. Nobody needs one on 127.0.0.1; to make one: iflow2api key create NAME")
    if loaded.unknown:
        say(f"keys.toml says what means nothing here, and limits nobody: {', '.join(loaded.unknown)}", "yellow")


@app.command()
def show(ctx: typer.Context, name: NameArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show everything about one key but its secret, which nobody has."""
    from iflow_cli_proxy.cli.keys import view as view
    from iflow_cli_proxy.core.clock import SystemClock
    from iflow_cli_proxy.state import key_shapes as shapes
    from iflow_cli_proxy.state.keys import find_key

    known = {key.name: key for key in _file(session(ctx, config)).load().keys}
    key, now = find_key(known, name), SystemClock().now()
    if as_json:
        print_json(shapes.as_json(key, now))
    else:
        print_table(("what", "value"), view.details(key, now), words=("what",))


@app.command()
def rotate(
    ctx: typer.Context,
    name: NameArgument,
    grace: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long the old secret works on: 30m, 1h, 7d.", show_default="not at all"),
    ] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Give a key a new secret and print it, once; limits and counts stay."""
    import os

    from iflow_cli_proxy.core.clock import SystemClock
    from iflow_cli_proxy.core.spans import span
    from iflow_cli_proxy.pool.client_key import digest_of, new_secret
    from iflow_cli_proxy.state import key_shapes as shapes
    from iflow_cli_proxy.state.key_wishes import rotated, seconds_of

    grace_s = seconds_of(grace, "--grace") if grace else 0.0
    now, secret = SystemClock().now(), new_secret(os.urandom)
    digest = digest_of(secret.reveal())
    (key,) = _file(session(ctx, config)).change([name], lambda old: rotated(old, digest, now, grace_s))
    if as_json:
        print_json({"key": secret.reveal(), **shapes.as_json(key, now)})
        return
    print_text(secret.reveal())
    say(f"{name} has a new secret. {_ONCE}")
    say(f"The old one works for another {span(grace_s)}." if grace_s else "The old one has ended.")
    if not key.is_usable(now):
        say(f"The key itself is {shapes.state_of(key, now)}.", "yellow")


@app.command()
def revoke(
    ctx: typer.Context,
    name: Annotated[list[str], typer.Argument(metavar="NAME", autocompletion=_names_beginning)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """End keys for good: nothing brings their secrets back."""
    from iflow_cli_proxy.core.clock import SystemClock
    from iflow_cli_proxy.state.key_wishes import revoked
    from iflow_cli_proxy.state.keys import find_key

    file, now = _file(session(ctx, config)), SystemClock().now()
    known = {key.name: key for key in file.load().keys}
    chosen = [find_key(known, one).name for one in dict.fromkeys(name)]
    if not yes and not _agreed(chosen):
        say("Nothing was revoked.")
        raise typer.Exit(ExitCode.FAILED)
    file.change(chosen, lambda key: revoked(key, now))
    if as_json:
        print_json({"revoked": chosen})
    else:
        verb = "is" if len(chosen) == 1 else "are"
        say(f"{', '.join(chosen)} {verb} revoked. A running gateway refuses it within two seconds.")


def _file(opened: Session) -> KeyFile:
    from iflow_cli_proxy.state.keys import KeyFile

    return KeyFile(opened.paths().keys_file)


def _agreed(names: list[str]) -> bool:
    from iflow_cli_proxy.core.errors import ConfigError

    if not sys.stdin.isatty():
        raise ConfigError("Nobody is here to confirm this.", param="--yes", hint="--yes revokes without asking")
    try:
        return typer.confirm(f"Revoke {', '.join(names)}?", err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None
