"""A server's life: open the port, serve, take up changed settings, drain, leave.

SIGTERM, SIGINT and a closed terminal drain, a second one leaves at once, SIGHUP reloads (RELIABILITY R9, R10).
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web

from iflow_cli_proxy.config.live import Reload, ReloadWatch
from iflow_cli_proxy.core.errors import Draining
from iflow_cli_proxy.gateway.exchange import Gateway
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.admin.desk import Desk
from iflow_cli_proxy.server.admin.settings import Steering
from iflow_cli_proxy.server.app import build_app
from iflow_cli_proxy.server.background import Supervisor
from iflow_cli_proxy.server.body_log import BodyLog
from iflow_cli_proxy.server.books import Books
from iflow_cli_proxy.server.key_book import KeyBook
from iflow_cli_proxy.server.listener import Listener, listen
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.server.tracing import Tracing
from iflow_cli_proxy.signin.keeper import Keeper
from iflow_cli_proxy.state.keys import KeyFile
from iflow_cli_proxy.state.ledger_row import Row
from iflow_cli_proxy.telemetry.logging import BackgroundHandler
from iflow_cli_proxy.telemetry.recent import RecentLines
from iflow_cli_proxy.transport.base import Transport
from iflow_cli_proxy.wiring.services import Services
from iflow_cli_proxy.wiring.watching import AccountWatch

_LOG: Final = logging.getLogger("iflow2api.server")
_MODELS_EVERY_S: Final = 3600.0
_LAST_WORDS_S: Final = 0.5
"""How long answers that outlived the drain may take to say so."""
_ENOUGH_S: Final = 0.1
"""How long a handler that was told to end is waited for before it is cancelled."""
_COME_BACK_S: Final = 1.0
_POLL_S: Final = 0.02
_UNUSED_EVERY_S: Final = 0.2


def new_state(services: Services, books: Books, log: BackgroundHandler | None = None) -> ServerState:
    state = ServerState(
        log_lines=log.recent if log else RecentLines(),
        lost_log_lines=lambda: log.lost_in_all if log else 0,
        settings=services.settings,
        gateway=services.gateway,
        accounts=services.accounts,
        reset_account=services.reset_account,
        keys=KeyBook(KeyFile(services.keys_file), clock=services.clock, cost_of=books.cost_of),
        observers=[books.note],
        is_ledger_full=lambda: books.is_refusing,
        ledger_health=lambda: services.ledger.health,
        supervisor=Supervisor(),
        clock=services.clock,
        entropy=services.entropy,
    )
    state.observers.append(state.tally.note)
    return state


class Server:
    """One listening server around one set of services."""

    def __init__(self, services: Services, *, log: BackgroundHandler | None = None) -> None:
        """`log` is this process's, where it has one."""
        self._books = Books(services)
        self._bodies = BodyLog(lambda: services.settings.current.logging.bodies, self._books.row_of)
        services.on_own_exchange = self._note_own
        self.state = new_state(services, self._books, log)
        self.state.connections = lambda: self.listener.connections if self.listener is not None else 0
        self._books.readers.append(self._count)
        self.state.observers.append(self._bodies.note)
        if services.settings.current.tracing.enabled:
            self.state.tracing = Tracing.open(services.settings.current.tracing, services.clock, services.entropy)
            self.state.observers.append(self.state.tracing.note)
        self.listener: Listener | None = None
        self._services = services
        services.gateway.subscribe(self._close_unused_later)
        self.desk = Desk(self.state, services)
        self._runner = web.AppRunner(
            build_app(self.state, self.desk), handler_cancellation=True, access_log=None, shutdown_timeout=_ENOUGH_S
        )
        self._watch: AccountWatch | None = None
        self._stop = asyncio.Event()
        self._leave_now = asyncio.Event()

    async def start(self) -> Listener:
        """Accept connections. Raises ConfigError when the address cannot be had."""
        await asyncio.to_thread(self.state.keys.open)
        await self._books.open(self.state.keys)
        await self.desk.open()
        self.state.supervisor.keep_running("admin password", self.desk.run)
        await self._runner.setup()
        self.listener = await listen(self._runner, self.state.settings, entropy=self._services.entropy)
        return self.listener

    def _note_own(self, exchange: Exchange) -> None:
        """What the gateway asked for itself has ended."""
        self._books.note(exchange)
        self._bodies.note(exchange)

    def list_models_now_and_then(self) -> None:
        """Merge what the upstreams list, now and every hour, off the request path."""
        self.state.supervisor.keep_running("model lists", self._list_models)

    def look_after_accounts(self) -> None:
        """Refresh ahead of expiry, take up what other processes change, write down what happened here."""
        supervisor, accounts = self.state.supervisor, self._services.accounts
        keeper = Keeper(
            accounts.kept_fresh, accounts.refresher, clock=self.state.clock, chance=random.SystemRandom().random
        )
        supervisor.keep_running("token refresh", keeper.run)
        self._watch = AccountWatch(self._services)
        supervisor.keep_running("accounts", self._watch.run)
        supervisor.keep_running("client keys", self.state.keys.run)

    def stop(self) -> None:
        """Drain and leave; called again, leave at once."""
        (self._leave_now if self._stop.is_set() else self._stop).set()

    async def run_until_stopped(self) -> None:
        await self._stop.wait()
        await self.drain()

    async def drain(self) -> None:
        """Refuse new work, let running answers end, then tell the rest why they do not."""
        settings = self.state.settings.current.server
        self.state.is_draining = True
        self.desk.close()
        _LOG.info("stopping: %d requests are still running", len(self.state.in_flight))
        await self._pause(settings.drain_delay_s)
        if self.listener is not None:
            self.listener.close()
            self.listener.dismiss()
        await self._quiet_within(settings.drain_s)
        for answer in tuple(self.state.answers):
            answer.end(Draining("The gateway is stopping; the answer is not complete.", retry_after_s=_COME_BACK_S))
        await self._quiet_within(_LAST_WORDS_S)
        await self.aclose()
        _LOG.info("stopped")

    async def aclose(self) -> None:
        """Stop at once. Idempotent."""
        self.desk.close()
        await self.state.supervisor.aclose()
        if self.listener is not None:
            self.listener.close()
        await self._runner.cleanup()
        try:
            if self._watch is not None:
                watch, self._watch = self._watch, None
                await watch.save()
        finally:
            await self._books.aclose()
            await self._bodies.aclose()
            if self.state.tracing is not None:
                await asyncio.to_thread(self.state.tracing.close)
            await self._services.aclose()

    async def _pause(self, limit_s: float) -> None:
        """Sleep unless told to leave at once."""
        if limit_s:
            try:
                await asyncio.wait_for(self._leave_now.wait(), limit_s)
            except TimeoutError:
                return

    async def _quiet_within(self, limit_s: float) -> None:
        """Wait until no answer is given and none waits to be read, at most `limit_s`, or until told to leave."""
        loop = asyncio.get_running_loop()
        until = loop.time() + limit_s
        while self._is_busy and loop.time() < until and not self._leave_now.is_set():
            await self._pause(_POLL_S)

    @property
    def _is_busy(self) -> bool:
        """A dismissed connection counts until its last byte has gone to the kernel."""
        return bool(self.state.in_flight) or (self.listener is not None and self.listener.connections > 0)

    def _count(self, row: Row) -> None:
        if self.state.settings.current.metrics.enabled:
            self.state.metrics.count(row)

    def _close_unused_later(self, _: Gateway) -> None:
        if unused := self._services.transports.unused:
            work = self._close_unused(unused, frozenset(self.state.in_flight))
            self.state.supervisor.run_once("unused connections", work)

    async def _close_unused(self, unused: Sequence[Transport], running: frozenset[Exchange]) -> None:
        """Close what the gateway in force does not use, once everyone who began under an earlier one has ended."""
        while running or self._is_signing_in:
            await asyncio.sleep(_UNUSED_EVERY_S)
            running &= self.state.in_flight
        await self._services.transports.close_unused(unused)

    @property
    def _is_signing_in(self) -> bool:
        """Whether somebody calls who is no request: a connection closed under a refresh may lose its token (F49)."""
        return self._services.accounts.refresher.is_busy or self.state.sign_ins_waited_for > 0

    async def _list_models(self) -> None:
        while True:
            for name, error in (await self._services.list_upstream_models()).items():
                if error is not None:
                    _LOG.debug("%s lists no models: %s", name, error.message)
            await asyncio.sleep(_MODELS_EVERY_S)


def report_reload(reload: Reload) -> None:
    """Say in the log what a reload did; names of settings only."""
    if reload.error is not None:
        _LOG.error("the settings stay as they were: %s", reload.error.message)
        return
    if reload.changed:
        _LOG.info("settings taken up: %s", ", ".join(reload.changed))
    else:
        _LOG.info("the settings are what they were; model files and sign-ins were read again")
    if reload.waiting_for_restart:
        _LOG.warning("these wait for a restart: %s", ", ".join(reload.waiting_for_restart))


async def serve(
    services: Services,
    *,
    watch: ReloadWatch | None,
    on_ready: Callable[[Server, Listener], Awaitable[None]],
    log: BackgroundHandler | None = None,
    steering: Steering | None = None,
) -> None:
    """Run until a signal ends it; `on_ready` is called once connections are accepted. `steering` is how the admin page
    changes settings."""
    server = Server(services, log=log)
    server.desk.steering = steering
    try:
        listener = await server.start()
        _on_signals((signal.SIGTERM, signal.SIGINT), server.stop)
        if watch is not None:
            supervisor = server.state.supervisor
            supervisor.keep_running("settings watch", watch.run)
            if hasattr(signal, "SIGHUP"):
                _on_signals((signal.SIGHUP,), _at_hangup(server, watch))
        server.list_models_now_and_then()
        server.look_after_accounts()
        await on_ready(server, listener)
    except BaseException:
        await server.aclose()
        raise
    await server.run_until_stopped()


def _at_hangup(server: Server, watch: ReloadWatch) -> Callable[[], None]:
    """SIGHUP asks for a reload, unless it says that the terminal `serve` was started in is gone: then nobody is left
    to stop it, and it drains."""
    terminal = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None

    def act() -> None:
        if terminal is not None and _is_gone(terminal):
            server.stop()
        else:
            server.state.supervisor.run_once("reload", _reload(watch))

    return act


def _is_gone(terminal: int) -> bool:
    import termios  # there is none on Windows, and no SIGHUP either

    try:
        termios.tcgetattr(terminal)
    except termios.error:
        return True
    return False


async def _reload(watch: ReloadWatch) -> None:
    await watch.reload()


def _on_signals(numbers: Sequence[signal.Signals], action: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in numbers:
        if os.name == "nt":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(action))
        else:
            loop.add_signal_handler(number, action)
