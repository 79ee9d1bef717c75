"""What `serve` does once its flags are read: settings, demo upstream, log, server, panel. Imported only by `serve`."""

from __future__ import annotations

import json
import logging
import webbrowser
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rich.panel import Panel
from rich.text import Text

from iflow_cli_proxy.cli.output import console, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.live import Live, ReloadWatch
from iflow_cli_proxy.config.load import with_upstream
from iflow_cli_proxy.config.schema import ProviderSettings, Settings, upstream_leaves
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.demo.run import start_demo
from iflow_cli_proxy.server.listener import Listener
from iflow_cli_proxy.server.middleware.client_auth import are_keys_required
from iflow_cli_proxy.server.run import Server, report_reload
from iflow_cli_proxy.server.run import serve as run_server
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.telemetry.logging import start_logging, stop_logging
from iflow_cli_proxy.wiring import Services, Wired

_LOG: Final = logging.getLogger("iflow2api.serve")
_MODELS_SHOWN: Final = 6


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
        paths = plan.session.paths()
        services = Services(live, paths, {} if plan.is_demo else plan.session.environ)
        watch = ReloadWatch(live, (paths.config_file, paths.overrides_file), build, report=report_reload)

        async def on_ready(server: Server, listener: Listener) -> None:
            _announce(plan, services.wired, listener)

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
    if are_keys_required(settings) and not settings.auth.client_keys:
        raise ConfigError(
            f"Serving on {settings.server.host} without client keys would let anyone use your accounts.",
            param="auth.client_keys",
            hint="set IFLOW2API_CLIENT_KEY to a long random word, or listen on 127.0.0.1",
        )


def _announce(plan: ServePlan, wired: Wired, listener: Listener) -> None:
    """Everything a person or a program waits for, once connections are accepted."""
    if plan.ready_file is not None:
        ready = {"urls": list(listener.urls), "host": listener.host, "port": listener.port}
        write_private(plan.ready_file.absolute(), json.dumps(ready).encode() + b"\n")
    for finding in wired.findings:
        _LOG.warning("%s: %s%s", finding.where, finding.problem, f"; {finding.hint}" if finding.hint else "")
    if plan.is_quiet:
        say(f"iflow2api serves {listener.urls[0]}")
    else:
        console(stderr=True).print(Panel(_panel(wired, listener), title="iflow2api", title_align="left", expand=False))
    if plan.opens_page:
        webbrowser.open(f"{listener.urls[0]}/v1/models")


def _panel(wired: Wired, listener: Listener) -> Text:
    settings, url = wired.settings, listener.urls[0]
    text = Text()

    def line(name: str, value: str, style: str = "") -> None:
        text.append(f"{name:<10}", "bold")
        text.append(value + "\n", style)

    line("OpenAI", f"{url}/v1", "cyan")
    for other in listener.urls[1:]:
        line("", f"{other}/v1", "cyan")
    for account in wired.accounts:
        provider = wired.providers[account.provider]
        where = provider.base_url or account.base_url or account.provider
        line("account", f"{account.label}  ({where}, {account.origin or 'no key'})")
    if not wired.accounts:
        line("account", "none yet: restart with --upstream URL or --demo, or run `iflow2api login`", "yellow")
    models = _model_names(wired)
    line("models", ", ".join(models[:_MODELS_SHOWN]) + (", …" if len(models) > _MODELS_SHOWN else "") or "as upstream")
    keys = settings.auth.client_keys
    if are_keys_required(settings):
        line("key", ", ".join(map(str, keys)))
    else:
        line("key", "not needed on this address; send any")
    text.append("\n")
    model = models[0] if models else "MODEL"
    shown_key = "$IFLOW2API_CLIENT_KEY" if are_keys_required(settings) else "any"
    text.append(f"export OPENAI_BASE_URL={url}/v1 OPENAI_API_KEY={shown_key}\n", "green")
    text.append(_curl(url, model, shown_key if are_keys_required(settings) else ""), "green")
    return text


def _curl(url: str, model: str, key: str) -> str:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    auth = f' -H "Authorization: Bearer {key}"' if key else ""
    return (
        f"curl -N {url}/v1/chat/completions{auth} \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d '{json.dumps(body)}'"
    )


def _model_names(wired: Wired) -> list[str]:
    return [model.id for upstream in wired.gateway.upstreams.values() for model in upstream.provider.catalog.listed()]
