"""`serve`: run the gateway and say how to reach it.

Knows the flags and what a person sees. Refuses to know how requests are served.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iflow_cli_proxy.cli.session import ConfigOption, Session, session

if TYPE_CHECKING:
    import asyncio


def serve(
    ctx: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.", show_default="28000")] = None,
    upstream: Annotated[str, typer.Option(metavar="URL", help="Serve this OpenAI-compatible upstream.")] = "",
    ask_key: Annotated[bool, typer.Option("--ask-key", help="Ask for the upstream's API key.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Serve a simulated upstream; no account needed.")] = False,
    workers: Annotated[int | None, typer.Option(help="Processes that share the address.", show_default="1")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the admin page in a browser.")] = False,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="debug, info, warning or error.", show_default="info")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the bound URLs here as JSON once ready.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no panel.")] = False,
    config: ConfigOption = None,
) -> None:
    """Run the gateway."""
    import asyncio

    from iflow_cli_proxy.cli.serving import ServePlan, run_plan
    from iflow_cli_proxy.core.errors import ConfigError

    if demo and upstream:
        raise ConfigError("--demo and --upstream exclude each other.", param="--demo")
    flags = {"server.host": host, "server.port": port, "server.workers": workers, "logging.level": log_level}
    plan = ServePlan(
        session=session(ctx, config),
        flags=flags,
        upstream=upstream,
        upstream_key=_upstream_key(session(ctx, config), ask_key) if upstream else "",
        is_demo=demo,
        opens_page=open_page,
        ready_file=ready_file,
        is_quiet=quiet,
    )
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        runner.run(run_plan(plan))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, when the extra `speed` is installed."""
    from importlib import import_module

    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = import_module("uvloop").new_event_loop
    except ImportError:
        return None
    return factory


def _upstream_key(current: Session, ask_key: bool) -> str:
    if ask_key:
        from iflow_cli_proxy.cli.output import ask

        return ask("API key of the upstream", is_secret=True)
    return current.environ.get("IFLOW2API_UPSTREAM_API_KEY", "")
