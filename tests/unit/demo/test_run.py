from __future__ import annotations

import asyncio

import aiohttp
import pytest

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.demo.run import KEY, start_demo
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.base import Call
from iflow_cli_proxy.providers.iflow.catalog import load_catalog
from iflow_cli_proxy.providers.iflow.provider import IflowProvider
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock


async def test_it_listens_on_loopback_at_a_free_port_with_its_own_key() -> None:
    async with await start_demo() as demo:
        assert demo.url.startswith("http://127.0.0.1:")
        assert demo.key == KEY
        async with aiohttp.ClientSession() as session, session.get(f"{demo.url}/models") as reply:
            assert reply.status == 401


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with await start_demo() as demo:
        port = int(demo.url.rsplit(":", 1)[1].partition("/")[0])
        with pytest.raises(OSError, match="in use"):
            await start_demo(port)


async def test_an_answer_that_hangs_does_not_keep_it_open_and_closing_twice_is_fine() -> None:
    demo = await start_demo()
    request = sent_by_the_client(demo.url, demo.key, "glm-5+hang")
    async with aiohttp.ClientSession() as session:
        hanging = asyncio.ensure_future(session.post(request.url, data=request.body, headers=request.headers))
        async with asyncio.timeout(2):
            while not demo.app.seen:  # noqa: ASYNC110 -- it happens on the other side of a socket
                await asyncio.sleep(0.005)
            await demo.aclose()
            await demo.aclose()
        with pytest.raises(aiohttp.ClientError):
            await hanging


def sent_by_the_client(url: str, key: str, model: str) -> UpstreamRequest:
    provider = IflowProvider("iflow", load_catalog(), clock=FakeClock(), entropy=counting_entropy(), base_url=url)
    account = Account(id="a", provider="iflow", label="a", api_key=Secret(key))
    fields = {"messages": [{"role": "user", "content": "hi"}]}
    return provider.prepare(Call(account=account, model=model, fields=fields, is_stream=True))
