"""`launch`: a coding agent, run against the gateway."""

from __future__ import annotations

from typing import Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session

ModelOption = Annotated[
    str, typer.Option("--model", "-m", metavar="MODEL", help="Which model works; else the first one listed.")
]
SmallModelOption = Annotated[
    str, typer.Option("--small-model", metavar="MODEL", help="For titles, summaries and other chores; else the same.")
]
UrlOption = Annotated[
    str, typer.Option("--url", metavar="URL", help="The gateway; else the one this configuration starts.")
]


def agents_beginning(incomplete: str) -> list[str]:
    """What a shell offers for the name of an agent."""
    from iflow_cli_proxy.agents import AGENTS

    return [agent.name for agent in AGENTS if agent.name.startswith(incomplete)]


def launch(
    ctx: typer.Context,
    agent: Annotated[
        str,
        typer.Argument(
            metavar="AGENT", help="claude-code, codex, opencode, gemini or qwen.", autocompletion=agents_beginning
        ),
    ] = "",
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGS]", help="For the agent, as they are.")
    ] = None,
    model: ModelOption = "",
    small_model: SmallModelOption = "",
    url: UrlOption = "",
    demo: Annotated[
        bool, typer.Option("--demo", help="With a simulated upstream, as `serve --demo`; no account needed.")
    ] = False,
    listing: Annotated[
        bool, typer.Option("--list", help="Which agents there are, and where they are installed.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Run a coding agent against the gateway; its own settings stay as they are.

    A gateway that runs is used. Where none does, one is started on a free
    port for as long as the agent runs. A client key is taken from
    IFLOW2API_CLIENT_KEY or the configuration, where the gateway asks for one.

    The exit code is the agent's own, and so is Ctrl-C.
    """
    from iflow_cli_proxy.cli.agents.launching import LaunchPlan, agents_here, launch_agent
    from iflow_cli_proxy.cli.output import print_json, print_table
    from iflow_cli_proxy.core.errors import ConfigError

    opened = session(ctx, config)
    if listing:
        rows = agents_here(opened)
        if as_json:
            print_json({"agents": rows})
            return
        print_table(
            ("agent", "program", "speaks", "connected"),
            [
                (row["agent"], row["program"] or f"missing: {row['install']}", row["protocol"],
                 "yes" if row["connected"] else "")
                for row in rows
            ],
            spare=2,
            words=("program", "connected"),
        )  # fmt: skip
        return
    if not agent:
        raise ConfigError("Which agent?", param="--agent", hint="`iflow2api launch --list` shows them")
    if demo and url:
        raise ConfigError("--demo and --url exclude each other.", param="--demo")
    plan = LaunchPlan(
        session=opened,
        agent=agent,
        arguments=tuple(arguments or ()),
        model=model,
        small_model=small_model,
        url=url,
        is_demo=demo,
    )
    raise typer.Exit(launch_agent(plan))
