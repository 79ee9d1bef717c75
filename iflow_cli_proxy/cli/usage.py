"""`usage`: what was asked of the gateway, by whom, and what it cost."""

from __future__ import annotations

from typing import Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session


def usage(
    ctx: typer.Context,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME,...", help="day, model, account, key, protocol or provider.")
    ] = "day",
    since: Annotated[
        str, typer.Option(metavar="WHEN", help="7d (today and six days before), 12h, today, or a date.")
    ] = "7d",
    until: Annotated[str, typer.Option(metavar="WHEN", help="The same; a day counts whole.", show_default="now")] = "",
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a line for each group.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show requests, tokens and costs from the ledger; a running gateway is not disturbed.

    Days are those of this machine's zone. ~ marks what holds estimates, + a cost that is not all.
    """
    from contextlib import closing

    from iflow_cli_proxy.cli.accounting.screen import Report, show
    from iflow_cli_proxy.cli.accounting.shapes import as_csv as csv_of
    from iflow_cli_proxy.cli.output import print_json, print_text, say
    from iflow_cli_proxy.core.clock import SystemClock
    from iflow_cli_proxy.state.ledger_file import open_reader
    from iflow_cli_proxy.state.ledger_queries import sums_by
    from iflow_cli_proxy.state.ledger_question import question_from
    from iflow_cli_proxy.state.ledger_shapes import usage_json

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    question = question_from(by, since, until, SystemClock().now())
    connection = open_reader(session(ctx, config).paths().ledger_file)
    if connection is None:
        report = Report(question=question, groups=(), days=(), days_of_groups=())
    else:
        with closing(connection):
            span = (question.since, question.until)
            groups = sums_by(connection, question.by, *span, is_local=True)
            is_drawn = not (as_json or as_csv)
            days = sums_by(connection, ("day",), *span, is_local=True) if is_drawn else []
            has_trends = is_drawn and "day" not in question.by
            trends = sums_by(connection, (*question.by, "day"), *span, is_local=True) if has_trends else []
            report = Report(question=question, groups=groups, days=days, days_of_groups=trends)
    if as_json:
        print_json(usage_json(question, report.groups))
    elif as_csv:
        print_text(csv_of(question, report.groups).rstrip("\n"))
    elif report.groups:
        show(report)
    elif connection is None:
        say("Nothing was ever recorded here. The first request to `iflow2api serve` begins the ledger.")
    else:
        say("Nothing happened in that time. `--since` looks further back.")
