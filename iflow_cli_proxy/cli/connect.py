"""`connect`: the settings of a coding agent, led to the gateway and back."""

from __future__ import annotations

from typing import Annotated

import typer

from iflow_cli_proxy.cli.launch import ModelOption, SmallModelOption, UrlOption, agents_beginning
from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session


def connect(
    ctx: typer.Context,
    agent: Annotated[
        str,
        typer.Argument(
            metavar="AGENT", help="claude-code, codex, opencode, gemini or qwen.", autocompletion=agents_beginning
        ),
    ],
    model: ModelOption = "",
    small_model: SmallModelOption = "",
    url: UrlOption = "",
    only_print: Annotated[
        bool, typer.Option("--print", help="Only show what would be written; keys are masked.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put the files back, byte for byte.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --undo: also files that were changed since; those are kept beside.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write the gateway into an agent's own settings, beside everything that stands there.

    What the files were is kept, and --undo puts it back, also that there was
    none. To use the gateway without changing anything: `iflow2api launch`.
    """
    import asyncio

    from iflow_cli_proxy.cli.agents.connecting import ConnectPlan, connect_agent, disconnect_agent
    from iflow_cli_proxy.cli.output import print_json, say
    from iflow_cli_proxy.core.errors import ConfigError

    opened = session(ctx, config)
    if undo and only_print:
        raise ConfigError("--undo and --print exclude each other.", param="--undo")
    if force and not undo:
        raise ConfigError("--force goes with --undo.", param="--force")
    if undo:
        files = disconnect_agent(opened, agent, is_forced=force)
        if as_json:
            print_json({"agent": agent, "restored": files})
        for path in files:
            say(f"Put back {path}.", "green")
        return
    plan = ConnectPlan(
        session=opened,
        agent=agent,
        model=model,
        small_model=small_model,
        url=url,
        only_prints=only_print,
        as_json=as_json,
    )
    asyncio.run(connect_agent(plan))
