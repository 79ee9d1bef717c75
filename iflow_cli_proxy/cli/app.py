"""The root of the command line. Adding a command is one line here; its module stays unread until this is imported.

Knows the groups, the global options and how errors become exit codes. Refuses to do any command's work.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from iflow_cli_proxy.cli import (
    admin,
    align,
    chat,
    completion,
    config,
    connect,
    demo,
    doctor,
    explain,
    key,
    launch,
    login,
    models,
    replay,
    serve,
    token,
    top,
    upstream,
    usage,
    version,
)
from iflow_cli_proxy.cli.output import ExitCode, is_unwritable, report, report_unwritable
from iflow_cli_proxy.cli.session import RootConfigOption, Session
from iflow_cli_proxy.cli.speech import FLAG, VARIABLE, asked_for, language_of, speaking
from iflow_cli_proxy.cli.spoken_help import SpokenGroup

_COLLECTED_EVERY: Final = 200_000
"""Objects made between two looks of the collector. What a start imports is no garbage: at the default of 700, looking
through it took a tenth of the time until `serve` was ready."""

app = typer.Typer(
    name="iflow2api",
    cls=SpokenGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(serve.serve)
app.command(context_settings={"allow_extra_args": True})(login.login)
app.command()(models.models)
app.command()(usage.usage)
app.command()(top.top)
app.command()(explain.explain)
app.command()(replay.replay)
app.command()(align.align)
app.command()(doctor.doctor)
app.command()(chat.chat)
app.command()(launch.launch)
app.command()(connect.connect)
app.add_typer(token.app, name="token")
app.add_typer(key.app, name="key")
app.add_typer(upstream.app, name="upstream")
app.add_typer(config.app, name="config")
app.add_typer(admin.app, name="admin")
app.command()(demo.demo)
app.command()(version.version)
app.command()(completion.completion)


def _check_language(asked: str) -> str:
    """What was asked for, when we speak it; the choice itself was made before anything was parsed."""
    from iflow_cli_proxy.language import LANGUAGES, of_tag

    if asked and not of_tag(asked):
        raise typer.BadParameter(f"'{asked}' is not one of {', '.join(LANGUAGES)}")
    return asked


@app.callback()
def root(
    ctx: typer.Context,
    config_file: RootConfigOption = None,
    lang: Annotated[
        str,
        typer.Option(
            FLAG,
            envvar=VARIABLE,
            metavar="en|zh",
            help="Language of help, messages and errors; else that of the locale.",
            callback=_check_language,
        ),
    ] = "",
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=version.print_and_leave)
    ] = False,
) -> None:
    """The accounts you have, served as one fast, safe LLM endpoint."""
    ctx.obj = Session(os.environ, config_file)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code; `args` stands in for those of the process."""
    if args is None:
        gc.set_threshold(_COLLECTED_EVERY)
    _open_missing_streams()
    _never_fail_to_encode()
    asked, given = asked_for(sys.argv[1:] if args is None else args)
    with speaking(language_of(asked, os.environ)):
        _run(given)


def _run(args: Sequence[str]) -> None:
    from iflow_cli_proxy.core.errors import GatewayError

    try:
        app(args)
    except GatewayError as error:
        sys.exit(report(error))
    except OSError as error:
        if not is_unwritable(error):
            raise
        sys.exit(report_unwritable(error))
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _open_missing_streams() -> None:
    """What was closed before we began leads nowhere, lest an account's file get the number of a stream."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def _never_fail_to_encode() -> None:
    """A terminal that knows no `…` shows a question mark instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
