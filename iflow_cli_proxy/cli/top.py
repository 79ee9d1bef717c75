"""`top`: what a running gateway does at this moment."""

from __future__ import annotations

from typing import Annotated

import typer

from iflow_cli_proxy.cli.launch import UrlOption
from iflow_cli_proxy.cli.session import ConfigOption, JsonOption, session


def top(
    ctx: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Show it once and leave; so it is without a terminal.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", "-n", min=0.2, max=3600.0, metavar="SECONDS", help="How often to look.")
    ] = 1.0,
    as_json: JsonOption = False,
    url: UrlOption = "",
    config: ConfigOption = None,
) -> None:
    """Watch requests in flight, rates, errors and accounts of a running gateway; q leaves.

    It needs a client key for everything where the gateway asks for keys:
    IFLOW2API_CLIENT_KEY, else the first of auth.client_keys.
    """
    from iflow_cli_proxy.cli.addressing import client_key, gateway_url
    from iflow_cli_proxy.cli.output import print_json
    from iflow_cli_proxy.cli.watching.asking import Gateway
    from iflow_cli_proxy.cli.watching.screen import can_watch, print_once, watch
    from iflow_cli_proxy.core import jsonx

    opened = session(ctx, config)
    settings, _ = opened.load()
    gateway = Gateway(gateway_url(settings, url), client_key(settings, opened.environ))
    snapshot, told = gateway.found()
    if as_json:
        print_json(jsonx.decode(told))
    elif once or not can_watch():
        print_once(snapshot, gateway.place)
    else:
        watch(gateway, snapshot, interval)
