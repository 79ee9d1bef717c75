"""`align`: a saved recording against what a provider would be sent today."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session


def align(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording of `iflow2api explain ID --save FILE`.")],
    provider: Annotated[
        str, typer.Option(metavar="NAME", help="Hold it against this provider; else the one that answered.")
    ] = "",
    is_clients: Annotated[
        bool, typer.Option("--client", help="Compare what the client sent: for recordings of a vendor's own program.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Compare a recorded request with what would be sent today, header by header and field by field.

    Nothing is sent. Signatures, times and ids are compared by their shape. Exit codes: 0 the same; 1 there are
    differences.
    """
    from iflow_cli_proxy.cli.flights.baseline import aligned, show
    from iflow_cli_proxy.cli.output import ExitCode, print_json

    alignment = aligned(session(ctx, config), file, provider=provider, is_clients=is_clients)
    if as_json:
        print_json(alignment.as_json())
    else:
        show(alignment)
    if alignment.differences:
        raise typer.Exit(ExitCode.FAILED)
