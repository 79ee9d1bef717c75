"""`models`: what can be asked for, and where it goes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session


def models(
    ctx: typer.Context,
    live: Annotated[bool, typer.Option("--live", help="Ask the upstreams for their own lists too.")] = False,
    provider: Annotated[str, typer.Option(metavar="NAME", help="Only this provider's.")] = "",
    upstream: Annotated[str, typer.Option(metavar="URL", help="As for `serve --upstream`.")] = "",
    route: Annotated[str, typer.Option(metavar="MODEL", help="Tell where this model would go now, and why.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List the models that can be asked for, or tell where one of them would go.

    With --route the steps of the decision and the routes in their order, each with its accounts. Exit codes: 0 some
    account could serve now; 4 one could after a new sign-in; 1 none could, or nobody has the model.
    """
    import asyncio

    from iflow_cli_proxy.cli.output import print_json, print_table, say

    if route:
        from iflow_cli_proxy.cli.routing import show_route

        if provider:
            raise typer.BadParameter("with --route write the provider before the model: PROVIDER/MODEL")
        raise typer.Exit(
            asyncio.run(show_route(session(ctx, config), route, upstream, asks_upstreams=live, as_json=as_json))
        )

    from iflow_cli_proxy.cli.listing import find_models, probed, say_probed, say_problems

    opened = session(ctx, config)
    found = asyncio.run(find_models(opened, provider, upstream, asks_upstreams=live))
    known = probed(opened, found.rows)
    if as_json:
        print_json(
            {
                "models": [asdict(row) for row in found.rows],
                "problems": [asdict(problem) for problem in found.problems],
                "profiles": known,
            }
        )
    elif found.rows:
        print_table(
            ("model", "provider", "context", "output", "vision", "thinking"),
            [
                (row.id, row.provider, _count(row.context_window), _count(row.max_output_tokens),
                 "yes" if row.vision else "", "" if row.thinking == "no" else row.thinking)
                for row in found.rows
            ],
            spare=5,
            words=("vision", "thinking"),
        )  # fmt: skip
    else:
        say("No models are known. Try `--live`, or `iflow2api serve --demo`.")
    if not as_json:
        say_probed(known)
    say_problems(found.problems)
    raise typer.Exit(found.exit_code)


def _count(tokens: int) -> str:
    return f"{tokens:,}" if tokens else ""
