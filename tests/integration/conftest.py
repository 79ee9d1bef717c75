from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.admin_visitor import House, opened
from tests.support.browser import Browser, browser
from tests.support.raw_client import Dial, RawClient


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Connects to a port of this machine; whatever is still open when the test ends is closed."""
    clients: list[RawClient] = []

    async def connect(port: int) -> RawClient:
        clients.append(await RawClient.connect(port))
        return clients[-1]

    yield connect
    for client in clients:
        client.writer.transport.abort()


@pytest.fixture(params=["plain", "mimic"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every test that uses this runs once per kind of transport."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """For modules that skip themselves where there is none."""
    with browser() as started:
        yield started


@pytest.fixture
async def house(chromium: Browser, tmp_path: Path) -> AsyncIterator[House]:
    """The admin page before its first run."""
    async with opened(chromium, tmp_path) as made:
        yield made
