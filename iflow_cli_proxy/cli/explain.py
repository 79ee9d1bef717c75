"""`explain`: what became of one request, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session


def explain(
    ctx: typer.Context,
    request_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="A request id, or what it begins with.", show_default=False)
    ] = "",
    is_last: Annotated[bool, typer.Option("--last", help="The last request, whether or not it failed.")] = False,
    is_full: Annotated[bool, typer.Option("--full", help="Show headers and bodies whole.")] = False,
    save: Annotated[Path | None, typer.Option("--save", metavar="FILE", help="Write it to a file of its own.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show how a request went: its route, every attempt, what was changed; without ID the last failure.

    Reads the ledger; no gateway needs to run. Bodies are shown where `recorder.contents` was on.
    """
    from iflow_cli_proxy.cli.flights.finding import found
    from iflow_cli_proxy.cli.flights.golden import save_golden
    from iflow_cli_proxy.cli.flights.screen import show
    from iflow_cli_proxy.cli.output import print_json, say

    one = found(session(ctx, config), request_id, only_failed=not is_last)
    if save is not None:
        save_golden(one, save)
        say(f"Saved to {save}. `iflow2api align {save}` holds it against what would be sent today.", is_to_copy=True)
    if as_json:
        print_json(one.as_json())
    elif save is None:
        show(one, is_full=is_full)
