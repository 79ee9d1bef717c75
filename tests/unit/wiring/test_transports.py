"""Connections: shared where they may be, closed when nobody needs them any more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from iflow_cli_proxy.config.schema import ProviderSettings
from iflow_cli_proxy.wiring.transports import Transports
from tests.support.gateway import settings_from, upstream_table
from tests.support.wiring import services

TABLE = ProviderSettings(transport="plain")


async def test_equal_options_share_one_transport_whatever_else_differs() -> None:
    transports = Transports()
    one = transports.of(TABLE)
    assert transports.of(replace(TABLE, base_url="http://127.0.0.1:2/v1", total_timeout_s=1.0)) is one
    assert transports.of(replace(TABLE, connect_timeout_s=1.0)) is not one
    await transports.aclose()


async def test_what_is_set_aside_stays_open_until_it_is_told_to_close() -> None:
    transports = Transports()
    old, new = transports.of(TABLE), transports.of(replace(TABLE, connect_timeout_s=1.0))
    transports.set_aside_all_but([new])
    assert transports.unused == (old,)
    assert transports.of(TABLE) is not old, "nothing new begins on it"
    await transports.close_unused(transports.unused)
    assert transports.unused == ()
    await transports.close_unused([old])  # twice harms nobody
    await transports.aclose()


async def test_nothing_closes_while_somebody_uses_it_without_being_a_request() -> None:
    transports = Transports()
    transports.of(TABLE)
    transports.set_aside_all_but([])
    async with transports.are_used:
        closing = asyncio.ensure_future(transports.close_unused(transports.unused))
        await asyncio.sleep(0)
        assert len(transports.unused) == 1
    await closing
    assert transports.unused == ()


async def test_closing_everything_closes_what_was_set_aside_too() -> None:
    transports = Transports()
    transports.of(TABLE)
    transports.set_aside_all_but([])
    transports.of(TABLE)
    await transports.aclose()
    assert transports.unused == ()
    await transports.aclose()


async def test_equal_options_share_one_transport_across_a_change_of_settings(tmp_path: Path) -> None:
    both = services(upstream_table("http://127.0.0.1:1/v1") + '[providers.two]\nbase_url = "http://127.0.0.1:2/v1"\n'
                    'transport = "plain"\n', tmp_path)  # fmt: skip
    before = both.wired.gateway.upstreams
    assert before["up"].transport is before["two"].transport
    both.settings.replace(settings_from(upstream_table("http://127.0.0.1:3/v1")))
    assert both.gateway.current.upstreams["up"].transport is before["up"].transport
    await both.aclose()


async def test_a_change_of_options_sets_the_old_connections_aside(tmp_path: Path) -> None:
    running = services(upstream_table("http://127.0.0.1:1/v1"), tmp_path)
    old = running.gateway.current.upstreams["up"].transport
    running.settings.replace(settings_from(upstream_table("http://127.0.0.1:1/v1", more="connect_timeout_s = 1")))
    assert running.transports.unused == (old,)
    assert running.gateway.current.upstreams["up"].transport is not old
    await running.aclose()
