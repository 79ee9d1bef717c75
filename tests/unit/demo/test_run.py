from __future__ import annotations

import asyncio
import tomllib

import aiohttp
import pytest

from iflow_cli_proxy.config.load import ConfigText, load
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.demo.run import KEY, start_demo
from iflow_cli_proxy.demo.tokens import Rules
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


async def test_a_config_with_the_printed_tables_leads_to_it() -> None:
    async with await start_demo() as demo:
        assert tomllib.loads(demo.toml) == {"providers": demo.providers}
        settings, _ = load(config=ConfigText("config.toml", demo.toml))
        iflow, qwen = settings.providers["iflow"], settings.providers["qwen"]
        assert (iflow.base_url, qwen.base_url) == (demo.url, demo.qwen_url)
        standard = settings.providers["standard"]
        assert (standard.kind, standard.base_url) == ("openai_compatible", demo.standard_url)
        pages = [iflow.oauth.authorize_url, iflow.oauth.userinfo_url, standard.oauth.authorize_url]
        posts = [iflow.oauth.token_url, qwen.oauth.token_url, qwen.oauth.device_url, standard.oauth.token_url]
        async with aiohttp.ClientSession() as session:
            answers = [await session.get(url) for url in pages] + [await session.post(url) for url in posts]
        assert [answer.status for answer in answers] == [400] * 7, "found, and not content"


async def test_lifetime_and_approval_can_be_set_at_the_start() -> None:
    async with await start_demo(token_lifetime_s=5, approves_by_itself=True) as demo:
        assert demo.app.oauth.rules == Rules(token_lifetime_s=5, approves_by_itself=True)
    async with await start_demo(rules=Rules(rotates=False)) as demo:
        assert not demo.app.oauth.rules.rotates


def sent_by_the_client(url: str, key: str, model: str) -> UpstreamRequest:
    provider = IflowProvider("iflow", load_catalog(), clock=FakeClock(), entropy=counting_entropy(), base_url=url)
    account = Account(id="a", provider="iflow", label="a", api_key=Secret(key))
    fields = {"messages": [{"role": "user", "content": "hi"}]}
    return provider.prepare(Call(account=account, model=model, fields=fields, is_stream=True))
