"""A recorded request asked again of a real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.cli.flights.replaying import Replayed, replayed
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import ConfigError
from tests.support.chat_stream import STREAM_BODY, delta, request, stream_of
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY
from tests.support.gateway import RunningGateway, running_gateway, upstream_table
from tests.support.raw_client import RawClient
from tests.support.raw_upstream import RawUpstream, Script, answer


@asynccontextmanager
async def scene(home: Path, *scripts: Script, contents: bool = True) -> AsyncIterator[RunningGateway]:
    """A gateway that records; the settings in `home` lead to it."""
    async with RawUpstream(*scripts) as upstream:
        toml = upstream_table(f"{upstream.url}/v1") + f"[recorder]\ncontents = {str(contents).lower()}\n"
        async with running_gateway(toml, home=home) as gateway:
            (home / "config.toml").write_text(f"[server]\nport = {gateway.port}\n")
            yield gateway


async def ask(gateway: RunningGateway, body: bytes) -> None:
    client = await RawClient.connect(gateway.port)
    try:
        await client.send(request(body, b"Connection: close", b"x-request-id: first"))
        await client.rest()
    finally:
        client.close()
    ledger = gateway.services.ledger
    for _ in range(500):
        if ledger.health.written:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the first request was never recorded")


async def again(home: Path, **options: Any) -> Replayed:
    return await asyncio.to_thread(replayed, Session({"IFLOW2API_HOME": str(home)}), "first", **options)


@pytest.mark.parametrize("body", [GOOD_BODY, STREAM_BODY])
async def test_the_same_answer_is_no_difference(tmp_path: Path, body: bytes) -> None:
    script = stream_of() if body is STREAM_BODY else [GOOD_ANSWER]
    async with scene(tmp_path, script) as gateway:
        await ask(gateway, body)
        both = await again(tmp_path)
    assert both.differences == []
    assert both.is_recorded
    assert not both.is_masked
    assert both.said_now.text == both.said_then.text != ""
    assert both.as_json()["same"] is True


async def test_another_answer_is_told_by_what_differs(tmp_path: Path) -> None:
    async with scene(tmp_path, stream_of(), stream_of(delta("new"))) as gateway:
        await ask(gateway, STREAM_BODY)
        both = await again(tmp_path)
    assert "text" in both.differences
    assert "status" not in both.differences


async def test_it_may_go_elsewhere_and_fail_there(tmp_path: Path) -> None:
    async with scene(tmp_path, [GOOD_ANSWER], [answer(b'{"error":{"message":"no"}}', 400)]) as gateway:
        await ask(gateway, GOOD_BODY)
        both = await again(tmp_path, to="up/other")
    assert {"status", "error"} <= set(both.differences)
    assert both.said_now.route == "up/other"


async def test_the_gateway_here_may_be_named_by_its_address(tmp_path: Path) -> None:
    async with scene(tmp_path, [GOOD_ANSWER]) as gateway:
        await ask(gateway, GOOD_BODY)
        both = await again(tmp_path, url=gateway.url)
    assert both.is_recorded
    assert both.said_now.attempts == 1


async def test_a_gateway_elsewhere_tells_by_its_answer_alone(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    async with scene(here, [GOOD_ANSWER]) as gateway, scene(there, [GOOD_ANSWER]) as elsewhere:
        await ask(gateway, GOOD_BODY)
        both = await again(here, url=elsewhere.url)
    assert not both.is_recorded
    assert both.differences == []
    assert (both.said_now.status, both.said_now.route, both.said_now.usage) == (200, "up/m", None)


async def test_without_the_body_nothing_is_sent(tmp_path: Path) -> None:
    async with scene(tmp_path, [GOOD_ANSWER], contents=False) as gateway:
        await ask(gateway, GOOD_BODY)
        with pytest.raises(ConfigError, match="not kept"):
            await again(tmp_path)
        assert gateway.services.ledger.health.written == 1
