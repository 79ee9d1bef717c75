"""A server's own life. Signals and processes are in tests/integration/test_draining.py and test_reloading.py."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.config.live import Live, Reload
from iflow_cli_proxy.config.schema import ServerSettings, Settings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.listener import Listener
from iflow_cli_proxy.server.run import Server, report_reload, serve
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring.services import Services
from tests.support.patience import until
from tests.support.raw_client import RawClient


def services(tmp_path: Path, environ: dict[str, str] | None = None, **limits: float) -> Services:
    settings = Settings(server=ServerSettings(port=0, **limits))  # type: ignore[arg-type]
    around = {"IFLOW2API_HOME": str(tmp_path), **(environ or {})}
    return Services(Live(settings), find_paths(around), around, home=tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="signals go another way there")
async def test_a_signal_ends_serving_and_nothing_is_left(tmp_path: Path) -> None:
    seen: list[str] = []

    async def on_ready(server: Server, listener: Listener) -> None:
        seen.append(listener.urls[0])
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)

    async with asyncio.timeout(5):
        await serve(services(tmp_path), watch=None, on_ready=on_ready)

    assert seen
    with pytest.raises(ConnectionRefusedError):
        await RawClient.connect(int(seen[0].rpartition(":")[2]))
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_trouble_while_getting_ready_closes_everything_again(tmp_path: Path) -> None:
    ports: list[int] = []

    async def on_ready(server: Server, listener: Listener) -> None:
        ports.append(listener.port)
        raise ConfigError("The ready file cannot be written.")

    with pytest.raises(ConfigError):
        await serve(services(tmp_path), watch=None, on_ready=on_ready)

    with pytest.raises(ConnectionRefusedError):
        await RawClient.connect(ports[0])


async def test_the_delay_before_the_port_closes_is_cut_short_by_a_second_signal(tmp_path: Path) -> None:
    server = Server(services(tmp_path, drain_delay_s=60.0))
    await server.start()
    running = asyncio.ensure_future(server.run_until_stopped())

    server.stop()
    await until(lambda: server.state.is_draining)
    assert not running.done()
    server.stop()

    async with asyncio.timeout(2):
        await running


async def test_unused_connections_close_once_no_request_began_before_the_change(tmp_path: Path) -> None:
    server = Server(running := services(tmp_path, environ={"IFLOW_API_KEY": "sk-0123456789abcdef"}))
    exchange = Exchange(request_id="x", protocol="openai_chat", started_at=0.0)
    server.state.in_flight.add(exchange)
    before = running.settings.current

    def change(connect_timeout_s: float) -> None:
        upstream = replace(before.upstream, connect_timeout_s=connect_timeout_s)
        running.settings.replace(replace(before, upstream=upstream))

    change(1)
    server.state.in_flight.add(later := Exchange(request_id="y", protocol="openai_chat", started_at=0.0))
    change(2)
    (first, second) = running.transports.unused

    server.state.in_flight.discard(exchange)
    await until(lambda: first not in running.transports.unused)
    assert running.transports.unused == (second,), "whoever came between the two changes may be using it"

    server.state.in_flight.discard(later)
    await until(lambda: not running.transports.unused)
    await server.aclose()


async def test_f49_connections_under_a_refresh_or_a_sign_in_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(running := services(tmp_path, environ={"IFLOW_API_KEY": "sk-0123456789abcdef"}))
    refreshes = [True]
    monkeypatch.setattr(type(running.accounts.refresher), "is_busy", property(lambda _: bool(refreshes)))
    server.state.sign_ins_waited_for = 1
    before = running.settings.current
    running.settings.replace(replace(before, upstream=replace(before.upstream, connect_timeout_s=1)))

    await asyncio.sleep(0.25)
    assert running.transports.unused
    refreshes.clear()
    await asyncio.sleep(0.25)
    assert running.transports.unused
    server.state.sign_ins_waited_for = 0
    await until(lambda: not running.transports.unused)
    await server.aclose()


async def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    server = Server(services(tmp_path))
    await server.start()

    await server.aclose()
    await server.aclose()


@pytest.mark.parametrize(
    ("reload", "level", "words"),
    [
        (Reload(), logging.INFO, ["the settings are what they were; model files and sign-ins were read again"]),
        (Reload(changed=("server.drain_s",)), logging.INFO, ["settings taken up: server.drain_s"]),
        (
            Reload(changed=("server.drain_s",), waiting_for_restart=("server.port",)),
            logging.WARNING,
            ["settings taken up: server.drain_s\n", "wait for a restart: server.port"],
        ),
        (Reload(error=ConfigError("config.toml:3: no")), logging.ERROR, ["stay as they were: config.toml:3: no"]),
    ],
)
def test_a_reload_is_reported_in_the_log(
    reload: Reload, level: int, words: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "iflow2api.server"):
        report_reload(reload)

    assert max(record.levelno for record in caplog.records) == level
    assert all(word in caplog.text for word in words)
