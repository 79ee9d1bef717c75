"""`login`: sign in at a provider, in the way that fits this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, Session, session

if TYPE_CHECKING:
    from iflow_cli_proxy.providers.signin import Method


def _providers_beginning(incomplete: str) -> list[str]:
    """What a shell offers for the name of a provider."""
    import os

    from iflow_cli_proxy.cli.signing.run import provider_names
    from iflow_cli_proxy.core.errors import GatewayError

    try:
        names = provider_names(Session(os.environ))
    except GatewayError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def login(
    ctx: typer.Context,
    provider: Annotated[
        str,
        typer.Argument(
            metavar="PROVIDER",
            help="iflow, qwen, a preset or a table of the config; left out: asked for.",
            autocompletion=_providers_beginning,
        ),
    ] = "",
    browser: Annotated[bool, typer.Option("--browser", help="With the browser of this machine.")] = False,
    paste: Annotated[
        bool, typer.Option("--paste", help="With any browser; the code is pasted here, or comes through a pipe.")
    ] = False,
    device: Annotated[bool, typer.Option("--device", help="With a code that is confirmed on any device.")] = False,
    api_key: Annotated[
        bool, typer.Option("--api-key", help="With an API key: asked for, or one line from a pipe; never an argument.")
    ] = False,
    name: Annotated[str, typer.Option("--name", metavar="LABEL", help="What to call the account.")] = "",
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="S", min=1, help="Seconds to wait for you, if not as long as is usual."),
    ] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Save without asking the provider once.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Sign in at a provider and keep the account.

    Without a method the one that fits is taken: the browser of this machine
    where there is a display, else a device code, else a pasted code, else an
    API key. Secrets are asked for or read from a pipe, never taken as
    arguments: others could read those in the list of processes.

    Exit codes: 0 signed in; 1 it could not be done now; 2 wrong usage;
    3 signed in and saved, but the first call failed; 4 refused or too late;
    130 stopped with Ctrl-C.

    With --json the last line is the account: id, provider, label, state,
    expires_at (UTC or null), verified (null with --no-verify), models, error.
    Where there is something to open, a line with an event comes before it:
    "page" with url, or "device_code" with user_code, verification_uri,
    verification_uri_complete and expires_in_s.
    """
    from iflow_cli_proxy.cli.signing.run import LoginPlan, run_login

    _refuse_more(ctx.args)
    plan = LoginPlan(
        session=session(ctx, config),
        provider=provider,
        forced=_forced(browser=browser, paste=paste, device=device, api_key=api_key),
        label=name,
        timeout_s=timeout,
        verifies=not no_verify,
        as_json=as_json,
    )
    raise typer.Exit(run_login(plan))


def _forced(**flags: bool) -> Method | None:
    from iflow_cli_proxy.cli.signing.method import flag
    from iflow_cli_proxy.core.errors import ConfigError
    from iflow_cli_proxy.providers.signin import Method

    forced = [Method(name) for name, is_given in flags.items() if is_given]
    if len(forced) > 1:
        named = " and ".join(map(flag, forced))
        raise ConfigError(f"{named} exclude each other.", param=flag(forced[1]), hint="give one of them, or none")
    return forced[0] if forced else None


def _refuse_more(args: list[str]) -> None:
    """A word too many is most likely a key, and is not repeated."""
    from iflow_cli_proxy.core.errors import ConfigError

    if args:
        raise ConfigError(
            "`login` takes one argument, the provider. A key on the command line could be read by others in the list "
            "of processes; nothing was done.",
            param="--api-key",
            hint="`iflow2api login PROVIDER --api-key` asks for the key, or reads it from a pipe",
        )
