"""What `serve` does once its flags are read: settings, demo upstream, log, server, panel. Imported only by `serve`."""

from __future__ import annotations

import logging
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from iflow_cli_proxy.cli.output import console, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.live import Live, ReloadWatch
from iflow_cli_proxy.config.load import with_upstream
from iflow_cli_proxy.config.schema import ProviderSettings, Settings, upstream_leaves
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.demo.run import start_demo
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.server.descriptors import raise_descriptor_limit
from iflow_cli_proxy.server.listener import Listener
from iflow_cli_proxy.server.memory import settle_memory
from iflow_cli_proxy.server.middleware.client_auth import are_keys_required, is_loopback
from iflow_cli_proxy.server.run import Server, report_reload
from iflow_cli_proxy.server.run import serve as run_server
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.telemetry.logging import set_level, start_logging, stop_logging
from iflow_cli_proxy.wiring import Services, Wired

_LOG: Final = logging.getLogger("iflow2api.serve")
_MODELS_SHOWN: Final = 6
_SHORTEST_KEY: Final = 12


@dataclass(frozen=True, kw_only=True)
class ServePlan:
    """The flags of one `serve`."""

    session: Session
    flags: Mapping[str, object]
    upstream: str = ""
    upstream_key: str = ""
    is_demo: bool = False
    opens_page: bool = False
    ready_file: Path | None = None
    is_quiet: bool = False


async def run_plan(plan: ServePlan) -> None:
    """Serve until a signal ends it. Raises ConfigError when it cannot begin."""
    async with AsyncExitStack() as stack:
        demo: ProviderSettings | None = None
        if plan.is_demo:
            upstream = await start_demo()
            stack.push_async_callback(upstream.aclose)
            demo = ProviderSettings(kind="iflow", base_url=upstream.url, api_key=Secret(upstream.key))

        def build() -> Settings:
            return _settings(plan, demo)

        live = Live(build())
        _check_safe(live.current)
        log = start_logging(live.current.logging)
        stack.callback(stop_logging, log)
        live.subscribe(lambda settings: set_level(settings.logging))
        paths = plan.session.paths()
        services = Services(live, paths, {} if plan.is_demo else plan.session.environ)
        files = (paths.config_file, paths.overrides_file)
        watch = ReloadWatch(live, files, lambda: services.checked(build()), report=report_reload)

        async def on_ready(server: Server, listener: Listener) -> None:
            _announce(plan, services.wired, listener)
            settle_memory()

        raise_descriptor_limit()
        await run_server(services, watch=watch, on_ready=on_ready)


def _settings(plan: ServePlan, demo: ProviderSettings | None) -> Settings:
    settings, _ = plan.session.load(plan.flags)
    if plan.upstream:
        return with_upstream(settings, plan.upstream, plan.upstream_key)
    if demo is None:
        return settings
    # The demo stands alone: nobody's real accounts are used to try the program out.
    provider = replace(
        demo, **{name: value for name, value in upstream_leaves(settings.upstream).items() if name != "proxy"}
    )
    routing = replace(settings.routing, default_provider="demo")
    return replace(settings, routing=routing, providers={"demo": provider})


def _check_safe(settings: Settings) -> None:
    """Refuse what would be unsafe or is not there yet, with the way out."""
    if settings.server.workers > 1:
        raise ConfigError(
            "More than one worker needs Redis for the shared state, which this version does not have yet.",
            param="server.workers",
            hint="leave server.workers at 1",
        )
    keys = settings.auth.client_keys
    if not is_loopback(settings.server.host) and any(len(key.reveal()) < _SHORTEST_KEY for key in keys):
        raise ConfigError(
            f"A client key of fewer than {_SHORTEST_KEY} characters can be guessed.",
            param="auth.client_keys",
            hint="choose a long random word, for instance from `openssl rand -hex 24`",
        )
    if are_keys_required(settings) and not keys:
        raise ConfigError(
            f"Serving on {settings.server.host} without client keys would let anyone use your accounts.",
            param="auth.client_keys",
            hint="set IFLOW2API_CLIENT_KEY to a long random word, or listen on 127.0.0.1",
        )


def _announce(plan: ServePlan, wired: Wired, listener: Listener) -> None:
    """Everything a person or a program waits for, once connections are accepted."""
    for finding in wired.findings:
        _LOG.warning("%s: %s%s", finding.where, finding.problem, f"; {finding.hint}" if finding.hint else "")
    for name, upstream in wired.gateway.upstreams.items():
        if upstream.provider.hint_when_gone:
            _LOG.warning("%s: %s", name, upstream.provider.hint_when_gone)
    # A screen that is gone is no reason not to serve; rich would leave the program at a broken pipe.
    with suppress(OSError, SystemExit):
        _show(plan, wired, listener)
    if plan.ready_file is not None:
        # Last, for whoever waits for it may read what was printed.
        ready = {"urls": list(listener.urls), "host": listener.host, "port": listener.port}
        write_private(plan.ready_file.absolute(), jsonx.encode(ready) + b"\n")
    if plan.opens_page:
        webbrowser.open(f"{listener.urls[0]}/v1/models")


def _show(plan: ServePlan, wired: Wired, listener: Listener) -> None:
    if plan.is_quiet:
        say(f"iflow2api serves {listener.urls[0]}")
        return
    screen = console(stderr=True)
    screen.print(Panel(_facts(wired, listener), title="iflow2api", title_align="left", expand=False))
    # Outside the frame and never wrapped: these are made to be copied.
    for line in _to_copy(wired, listener):
        screen.print(line, style="green", markup=False, highlight=False, soft_wrap=True)


def _facts(wired: Wired, listener: Listener) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for place, url in enumerate(listener.urls):
        table.add_row("" if place else "serving", Text(f"{url}/v1", "cyan"))
    for account in wired.accounts:
        provider = wired.providers[account.provider]
        where = account.base_url or provider.base_url or account.provider
        table.add_row("account", Text(f"{account.label} at {where}, {_key_origin(account)}"))
    if not wired.accounts:
        table.add_row("account", Text("none yet: start with --upstream URL or --demo", "yellow"))
    names = _model_names(wired)
    shown = ", ".join(names[:_MODELS_SHOWN]) + (
        f" and {len(names) - _MODELS_SHOWN} more" if names[_MODELS_SHOWN:] else ""
    )
    table.add_row("models", Text(shown or "whatever the upstream knows"))
    keys = wired.settings.auth.client_keys
    table.add_row("key", Text(", ".join(map(str, keys)) if are_keys_required(wired.settings) else "none needed here"))
    return table


def _to_copy(wired: Wired, listener: Listener) -> Iterator[str]:
    """Lines that work when they are pasted into a shell."""
    url = listener.urls[0]
    needs_key = are_keys_required(wired.settings)
    key = "$IFLOW2API_CLIENT_KEY" if needs_key else "any"
    model = next(iter(_model_names(wired)), "MODEL")
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
    auth = f' -H "Authorization: Bearer {key}"' if needs_key else ""
    yield f"export OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={key}"
    shown = jsonx.encode(body).decode()
    yield f"curl -N {url}/v1/chat/completions -H 'Content-Type: application/json'{auth} -d '{shown}'"


def _model_names(wired: Wired) -> list[str]:
    return [model.id for upstream in wired.gateway.upstreams.values() for model in upstream.provider.catalog.listed()]


def _key_origin(account: Account) -> str:
    return f"key from {account.origin}" if account.api_key else "no key"
