from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from iflow_cli_proxy.transport.base import Transport, TransportOptions
from tests.support.transports import opened


@pytest.fixture(params=["plain", "mimic"])
def options(request: pytest.FixtureRequest) -> TransportOptions:
    """Every test that uses this, or `transport`, runs once per kind of transport."""
    return TransportOptions(kind=request.param, connect_timeout_s=2.0)


@pytest.fixture
async def transport(options: TransportOptions) -> AsyncIterator[Transport]:
    async with opened(options) as it:
        yield it
