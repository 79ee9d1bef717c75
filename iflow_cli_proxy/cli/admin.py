"""`iflow2api admin`: where the admin page is, and its password."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from iflow_cli_proxy.cli.output import ask, print_json, print_text, say
from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, Session, session

if TYPE_CHECKING:
    from iflow_cli_proxy.state.admin_file import AdminFile

app = typer.Typer(no_args_is_help=True, help="The admin page: its address and its password.")


@app.command()
def password(
    ctx: typer.Context,
    generate: Annotated[bool, typer.Option("--generate", help="Make one and print it, once.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Set the password: asked for, or one line from a pipe. Everybody who is signed in is signed out."""
    from iflow_cli_proxy.server.admin.passwords import check_new, hash_of, made

    file = _file(session(ctx, config))
    chosen = made() if generate else check_new(_asked())
    file.save(hash_of(chosen))
    if as_json:
        print_json({"written": str(file.path), "password": chosen if generate else None})
        return
    if generate:
        print_text(chosen)
        say("This is the only time it is shown.")
    say("The password is set; a running gateway takes it up within two seconds. `iflow2api admin url` says where.")


@app.command()
def url(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Print where the admin page is, as `serve` would serve it with these settings."""
    from iflow_cli_proxy.cli.addressing import gateway_url
    from iflow_cli_proxy.core.errors import ConfigError

    opened = session(ctx, config)
    settings, _ = opened.load()
    if not settings.admin.enabled:
        raise ConfigError(
            "The admin page is switched off.", param="admin.enabled", hint="iflow2api config set admin.enabled true"
        )
    address, has_password = f"{gateway_url(settings, '')}/admin", _file(opened).stamp() is not None
    if as_json:
        print_json({"url": address, "has_password": has_password})
        return
    print_text(address)
    if not has_password:
        say("It has no password yet: `iflow2api admin password` sets one, and so does the address `serve` prints.")


def _asked() -> str:
    """Typed twice at a terminal; a pipe gives it as one line. Raises ConfigError when the two differ."""
    from iflow_cli_proxy.core.errors import ConfigError

    first = ask("New password", is_secret=True)
    if sys.stdin.isatty() and first != ask("Once more", is_secret=True):
        raise ConfigError("The two are not the same; nothing was changed.", param="--password")
    return first


def _file(opened: Session) -> AdminFile:
    from iflow_cli_proxy.state.admin_file import AdminFile

    return AdminFile(opened.paths().admin_file)
