"""`replay`: a recorded request sent again, and what came of it then and now."""

from __future__ import annotations

from typing import Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session


def replay(
    ctx: typer.Context,
    request_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="A request id, or what it begins with; else the last failure.")
    ] = "",
    to: Annotated[
        str, typer.Option("--to", metavar="ROUTE", help="Ask this model instead, such as `iflow/glm-5`.")
    ] = "",
    url: Annotated[
        str, typer.Option(metavar="URL", help="The gateway to ask; the one of these settings if left out.")
    ] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send a recorded request to the running gateway again and compare the answers.

    It needs the body of the request, which is kept where `recorder.contents` is on. Exit codes: 0 the same; 1
    different, or it could not be sent.
    """
    from iflow_cli_proxy.cli.flights.comparison import show
    from iflow_cli_proxy.cli.flights.replaying import replayed
    from iflow_cli_proxy.cli.output import ExitCode, print_json

    both = replayed(session(ctx, config), request_id, to=to, url=url)
    if as_json:
        print_json(both.as_json())
    else:
        show(both)
    if both.differences:
        raise typer.Exit(ExitCode.FAILED)
