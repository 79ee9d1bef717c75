"""`demo`: the simulated upstreams alone, to try every sign-in and every failure by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from iflow_cli_proxy.cli.session import JsonOption


def demo(
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.", min=0, max=65_535)] = 0,
    token_lifetime: Annotated[
        float, typer.Option(metavar="SECONDS", help="Lifetime of access tokens; 0: the vendors' own.", min=0)
    ] = 0,
    auto_approve: Annotated[bool, typer.Option("--auto-approve", help="Nobody has to press a button.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run simulated upstreams until Ctrl-C, and print the settings that lead to them."""
    import asyncio

    asyncio.run(_run(port, token_lifetime, auto_approve, as_json))


async def _run(port: int, token_lifetime_s: float, approves_by_itself: bool, as_json: bool) -> None:
    import asyncio
    import signal

    from iflow_cli_proxy.cli.output import print_json, print_text, say
    from iflow_cli_proxy.core.errors import ConfigError
    from iflow_cli_proxy.demo.run import start_demo

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        _on_signal(number, stop.set)
    try:
        upstream = await start_demo(port, token_lifetime_s=token_lifetime_s, approves_by_itself=approves_by_itself)
    except OSError as error:
        raise ConfigError(
            f"Port {port} cannot be had: {error.strerror}.", param="--port", hint="use --port 0 for a free one"
        ) from error
    async with upstream:
        if as_json:
            print_json({"url": upstream.origin, "key": upstream.key, "providers": upstream.providers})
        else:
            print_text(upstream.toml)
        say("Put this into config.toml, then try `iflow2api login iflow` or `iflow2api login qwen`.")
        say(f"What can go wrong, and how to make it: curl {upstream.origin}/demo")
        say("Ctrl-C ends it; who signed in is forgotten then.")
        await stop.wait()


def _on_signal(number: int, action: Callable[[], None]) -> None:
    import asyncio
    import signal
    import sys

    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(action))
    else:
        loop.add_signal_handler(number, action)
