"""What `serve` does once its flags are read: settings, demo upstream, log, server, panel. Imported only by `serve`."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Final

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from iflow_cli_proxy.cli.accounts.view import state_text
from iflow_cli_proxy.cli.output import console, say
from iflow_cli_proxy.cli.passphrase import AskingAtStart, asker
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.signing.browser import open_page
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.config.live import Live, ReloadWatch
from iflow_cli_proxy.config.load import with_upstream
from iflow_cli_proxy.config.merge import flag_of
from iflow_cli_proxy.config.safety import are_keys_required, is_loopback
from iflow_cli_proxy.config.schema import ProviderSettings, Settings, upstream_leaves
from iflow_cli_proxy.config.variables import CLIENT_KEY_VARIABLE
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret, mask_url
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.saved import AuthType
from iflow_cli_proxy.server.admin.settings import Steering
from iflow_cli_proxy.server.descriptors import raise_descriptor_limit
from iflow_cli_proxy.server.listener import Listener
from iflow_cli_proxy.server.memory import settle_memory
from iflow_cli_proxy.server.run import Server, report_reload
from iflow_cli_proxy.server.run import serve as run_server
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.telemetry.logging import set_level, start_logging, stop_logging
from iflow_cli_proxy.wiring.accounts import KnownAccount
from iflow_cli_proxy.wiring.checking import checked, has_keys
from iflow_cli_proxy.wiring.services import Services, Wired

_LOG: Final = logging.getLogger("iflow2api.serve")
_ACCOUNTS_SHOWN: Final = 8
_MODELS_SHOWN: Final = 6
_KEYS_SHOWN: Final = 6
_FIRST_LIST_WITHIN_S: Final = 0.3
_KEY_TO_FILL_IN: Final = "YOUR_CLIENT_KEY"
_DEMO_DELAY_VARIABLE: Final = "IFLOW2API_DEMO_DELAY_MS"


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
            from iflow_cli_proxy.demo.run import DELAY_S, start_demo  # lazily: it would cost every other start memory

            delay_s = _demo_delay_s(plan.session.environ)
            upstream = await start_demo(delay_s=DELAY_S if delay_s is None else delay_s)
            stack.push_async_callback(upstream.aclose)
            demo = ProviderSettings(kind="iflow", base_url=upstream.url, api_key=Secret(upstream.key))

        paths, environ, home = plan.session.paths(), plan.session.environ, Path.home()
        if plan.is_demo:
            # It stands alone: nobody's real accounts are used to try the program out.
            home = Path(stack.enter_context(TemporaryDirectory(prefix="iflow2api-demo-")))
            paths, environ = replace(paths, accounts_dir=home / "accounts", ledger_file=home / "usage.sqlite3"), {}

        sources = plan.session.sources(plan.flags)

        def build() -> Settings:
            return checked(adapt(sources.load()[0]), paths, environ)

        def adapt(settings: Settings) -> Settings:
            return _adapted(settings, plan, demo)

        live = Live(_named_as_typed(build, plan.flags))
        log = start_logging(live.current.logging)
        stack.callback(stop_logging, log)
        live.subscribe(lambda settings: set_level(settings.logging))
        asking = AskingAtStart(asker())
        services = Services(live, paths, environ, home=home, ask=asking)
        asking.end()  # accounts are opened by now; later the loop must not wait for anybody
        files = (paths.config_file, paths.overrides_file)
        watch = ReloadWatch(
            live,
            files,
            build,
            report=report_reload,
            beside=services.outside_files,
            has_keys=lambda settings: has_keys(settings, paths),
        )

        async def on_ready(server: Server, listener: Listener) -> None:
            page = admin_url(services, listener, server.desk.setup_token)
            await _announce(plan, services, listener, server.state.keys.names_in_use(), page)
            settle_memory()

        raise_descriptor_limit()
        steering = Steering(sources=sources, paths=paths, adapt=adapt, reload=watch.reload)
        await run_server(services, watch=watch, on_ready=on_ready, log=log, steering=steering)


def _demo_delay_s(environ: Mapping[str, str]) -> float | None:
    """Between two words of the demo; IFLOW2API_DEMO_DELAY_MS is for tests, which do not want to watch them arrive."""
    text = environ.get(_DEMO_DELAY_VARIABLE, "")
    if text and not text.isdecimal():
        raise ConfigError(f"{_DEMO_DELAY_VARIABLE} takes a whole number of milliseconds.", param=_DEMO_DELAY_VARIABLE)
    return int(text) / 1000 if text else None


def _named_as_typed(build: Callable[[], Settings], flags: Mapping[str, object]) -> Settings:
    """What `build` makes; its complaint about a setting that came from a flag is one about the flag."""
    try:
        return build()
    except ConfigError as error:
        if error.param and flags.get(error.param) is not None:
            error.param = flag_of(tuple(error.param.split(".")))
        raise


def _adapted(settings: Settings, plan: ServePlan, demo: ProviderSettings | None) -> Settings:
    """With what only this process serves."""
    if plan.upstream:
        return with_upstream(settings, plan.upstream, plan.upstream_key)
    if demo is None:
        return settings
    provider = replace(
        demo, **{name: value for name, value in upstream_leaves(settings.upstream).items() if name != "proxy"}
    )
    routing = replace(settings.routing, default_provider="demo")
    return replace(settings, routing=routing, providers={"demo": provider})


def admin_url(services: Services, listener: Listener, setup_token: Secret) -> str:
    """Where the admin page is, with what opens its first run behind `#`, which no browser sends anywhere; "" for none.

    For a screen, and never for a log (I32, I45).
    """
    if not services.settings.current.admin.enabled:
        return ""
    return f"{listener.urls[0]}/admin" + (f"#setup={setup_token.reveal()}" if setup_token else "")


async def _announce(
    plan: ServePlan, services: Services, listener: Listener, key_names: Sequence[str] = (), page: str = ""
) -> None:
    """Everything a person or a program waits for, once connections are accepted. `key_names` are those of keys.toml,
    `page` is the address of the admin page."""
    wired = services.wired
    for finding in wired.findings:
        _LOG.warning("%s: %s%s", finding.where, finding.problem, f"; {finding.hint}" if finding.hint else "")
    for name, upstream in wired.gateway.upstreams.items():
        if upstream.provider.hint_when_gone:
            _LOG.warning("%s: %s", name, upstream.provider.hint_when_gone)
    if page and not is_loopback(listener.host):
        _LOG.warning(
            "the admin page goes over the network in clear, its password too; put TLS in front and the name in "
            "admin.hosts, or take the page away: iflow2api config set admin.enabled false"
        )
    is_complete = plan.is_quiet or bool(_model_names(wired))
    if is_complete:
        _show(
            plan, services, listener, key_names, page
        )  # first, for whoever waits for the file may read what was printed
    if plan.ready_file is not None:
        ready = {"urls": list(listener.urls), "host": listener.host, "port": listener.port}
        write_private(plan.ready_file.absolute(), jsonx.encode(ready) + b"\n")
    if not is_complete:
        await _first_list(services)
        _show(plan, services, listener, key_names, page)
    if plan.opens_page:
        _open(page, plan)


def _open(page: str, plan: ServePlan) -> None:
    """Without the token of a first run: other users of this machine see what a browser is started with (I32)."""
    if page:
        open_page(page.partition("#")[0], plan.session.environ)
    else:
        say("There is no page to open: admin.enabled is false.", "yellow")


async def _first_list(services: Services) -> None:
    """Until an upstream has said what it serves, but not for long: the gateway serves already."""
    came = asyncio.Event()
    forget = services.gateway.subscribe(lambda _: came.set())
    with suppress(TimeoutError):
        await asyncio.wait_for(came.wait(), _FIRST_LIST_WITHIN_S)
    forget()


def _show(plan: ServePlan, services: Services, listener: Listener, key_names: Sequence[str], page: str) -> None:
    # A screen that is gone is no reason not to serve; rich would leave the program at a broken pipe.
    with suppress(OSError, SystemExit):
        if plan.is_quiet:
            say(f"iflow2api serves {listener.urls[0]}")
            return
        screen = console(stderr=True)
        screen.print(Panel(_facts(services, listener, key_names), title="iflow2api", title_align="left", expand=False))
        # Outside the frame and never wrapped: these are made to be copied.
        for line in _to_copy(services.wired, listener, plan.session.environ, key_names):
            say(line, "green", is_to_copy=True)
        if page:
            say(f"{'first run' if '#' in page else 'admin page'}: {page}", "cyan", is_to_copy=True)
        if plan.is_demo:
            home = quote(str(services.ledger_file.parent))
            say(f"what became of a request: IFLOW2API_HOME={home} iflow2api explain --last", "cyan", is_to_copy=True)


def _facts(services: Services, listener: Listener, key_names: Sequence[str]) -> Table:
    wired = services.wired
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for place, url in enumerate(listener.urls):
        table.add_row("" if place else spoken("serving"), Text(f"{url}/v1", "cyan"))
    for line in _account_lines(services):
        table.add_row(spoken("account"), line)
    names = _model_names(wired)
    shown = ", ".join(names[:_MODELS_SHOWN]) + (
        spoken(f" and {len(names) - _MODELS_SHOWN} more") if names[_MODELS_SHOWN:] else ""
    )
    table.add_row(spoken("models"), Text(shown or spoken("whatever the upstream knows")))
    table.add_row(spoken("key"), Text(spoken(_keys_text(wired.settings, key_names))))
    return table


def _keys_text(settings: Settings, key_names: Sequence[str]) -> str:
    """Keys of the configuration masked, those of keys.toml by name: nobody has their secrets any more."""
    if not are_keys_required(settings):
        return "none needed here"
    keys = [*map(str, settings.auth.client_keys), *key_names]
    more = spoken(f" and {len(keys) - _KEYS_SHOWN} more: iflow2api key list") if keys[_KEYS_SHOWN:] else ""
    if not keys:
        return "the id of an account" if settings.auth.accept_account_ids else "none can be used: iflow2api key list"
    return ", ".join(keys[:_KEYS_SHOWN]) + more


def _account_lines(services: Services) -> Iterator[Text]:
    """Who requests go out on, and how many there are beside them that cannot be used."""
    wired, now = services.wired, services.clock.now()
    for account in wired.accounts[:_ACCOUNTS_SHOWN]:
        where = mask_url(account.base_url or wired.providers[account.provider].base_url) or account.provider
        known = services.accounts.last(account.id)
        state = state_text(known, now) if known else "ok"
        facts = ", ".join(map(spoken, (_key_origin(account, known), *([] if state == "ok" else [state]))))
        yield Text(f"{spoken(f'{account.label} at {where}')}, {facts}")
    if (more := len(wired.accounts) - _ACCOUNTS_SHOWN) > 0:
        yield Text(spoken(f"and {more} more: iflow2api token list"))
    left_out = Counter(state_text(one, now) for one in services.accounts.last_known() if not one.is_usable(now))
    if left_out:
        states = ", ".join(f"{count} {spoken(state)}" for state, count in left_out.items())
        yield Text(spoken(f"not in use: {states}; see `iflow2api token list`"), "yellow")
    elif not wired.accounts:
        yield Text(spoken("none yet: `iflow2api login`, or start with --upstream URL or --demo"), "yellow")


def _to_copy(
    wired: Wired, listener: Listener, environ: Mapping[str, str], key_names: Sequence[str] = ()
) -> Iterator[str]:
    """Lines that work when they are pasted into a shell."""
    url = quote(f"{listener.urls[0]}/v1")
    needs_key = are_keys_required(wired.settings)
    key = _key_to_copy(environ) if needs_key else "any"
    if key == _KEY_TO_FILL_IN:
        yield f"# {key} stands for {_where_keys_are(wired.settings, key_names)}"
    model = next(iter(_model_names(wired)), "MODEL")
    body = {"model": model, "messages": [{"role": "user", "content": "Hello!"}], "stream": True}
    auth = f' -H "Authorization: Bearer {key}"' if needs_key else ""
    yield f"export OPENAI_BASE_URL={url} OPENAI_API_KEY={key}"
    shown = quote(jsonx.encode(body).decode())
    yield f"curl -N {url}/chat/completions -H 'Content-Type: application/json'{auth} -d {shown}"


def _where_keys_are(settings: Settings, key_names: Sequence[str]) -> str:
    if settings.auth.client_keys:
        return "one of these: iflow2api config get auth.client_keys --reveal"
    if key_names:
        return f"the secret of {key_names[0]}, shown when it was made; another: iflow2api key create NAME"
    if settings.auth.accept_account_ids:
        return "the id of an account: iflow2api token list --json"
    return "a client key: iflow2api key create NAME"


def _key_to_copy(environ: Mapping[str, str]) -> str:
    """The key by its variable, never itself: what a screen shows is copied to places where no key belongs."""
    keys = environ.get(CLIENT_KEY_VARIABLE, "")
    if "," in keys:
        return f"${{{CLIENT_KEY_VARIABLE}%%,*}}"
    return f"${CLIENT_KEY_VARIABLE}" if keys else _KEY_TO_FILL_IN


def _model_names(wired: Wired) -> list[str]:
    return [model.id for upstream in wired.gateway.upstreams.values() for model in upstream.provider.catalog.listed()]


def _key_origin(account: Account, known: KnownAccount | None) -> str:
    if known is not None and known.is_ours:
        return "an API key" if known.saved.auth_type is AuthType.API_KEY else "a sign-in"
    return f"key from {account.origin}" if account.api_key else "no key"
