from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

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
