from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from iflow_cli_proxy.demo.auth import Keys
from iflow_cli_proxy.demo.run import DemoUpstream, start_demo
from tests.support.demo_signin import Caller
from tests.support.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def signing(clock: FakeClock) -> AsyncIterator[DemoUpstream]:
    """A demo whose time stands still; nobody has signed in yet."""
    async with await start_demo(keys=Keys(), delay_s=0, clock=clock) as running:
        running.app.oauth.rules.slow_s = 0.02
        yield running


@pytest.fixture
async def person(signing: DemoUpstream) -> AsyncIterator[Caller]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Caller(signing, session)
