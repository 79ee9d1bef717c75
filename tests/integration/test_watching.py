"""A request on its way, watched over real sockets: every phase, in every protocol, streamed and not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import pytest

from iflow_cli_proxy.cli.watching.asking import Gateway
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.run import Keys, start_demo
from tests.support.faults import STOP, piece, whole
from tests.support.gateway import RunningGateway, chat_body, running_gateway, upstream_table
from tests.support.patience import PATIENCE_S
from tests.support.raw_upstream import LAST_CHUNK, Connection, RawUpstream, Step, answer, event, stream_head

KEY: Final = 'api_key = "sk-upstream-0123456789"'
THINKING: Final = piece("let me see").replace('"content"', '"reasoning_content"')
MESSAGES: Final = [{"role": "user", "content": "hi"}]
ASKED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "openai_chat": ("/v1/chat/completions", {"model": "m", "messages": MESSAGES, "stream": True}),
    "anthropic": ("/v1/messages", {"model": "m", "max_tokens": 99, "messages": MESSAGES, "stream": True}),
    "openai_responses": ("/v1/responses", {"model": "m", "input": "hi", "stream": True}),
    "gemini": ("/v1beta/models/m:streamGenerateContent?alt=sse", {"contents": [{"parts": [{"text": "hi"}]}]}),
    "ollama": ("/api/chat", {"model": "m", "messages": MESSAGES}),
}


def after(opened: asyncio.Event) -> Step:
    async def wait(_: Connection) -> None:
        await opened.wait()

    return wait


class Watch:
    """Who looks: at what `top` asks for."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = Gateway(gateway.url, "")

    async def now(self) -> dict[str, Any]:
        _, body = await asyncio.to_thread(self._gateway.snapshot)
        told: dict[str, Any] = jsonx.decode(body)
        return told

    async def until(self, holds: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while not holds(told := await self.now()):  # noqa: ASYNC110 -- it is somebody else who knows
                await asyncio.sleep(0.005)
            return told

    async def phase(self, wanted: str) -> dict[str, Any]:
        """The row of the only request, once it is in that phase."""
        told = await self.until(lambda told: [one["phase"] for one in told["in_flight"]] == [wanted])
        row: dict[str, Any] = told["in_flight"][0]
        return row


@asynccontextmanager
async def asking(gateway: RunningGateway, path: str, body: Any, **headers: str) -> AsyncIterator[asyncio.Task[bytes]]:
    async def ask() -> bytes:
        async with (
            aiohttp.ClientSession() as session,
            session.post(gateway.url + path, json=body, headers=headers) as got,
        ):
            return await got.read()

    task = asyncio.create_task(ask())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("protocol", ASKED)
async def test_a_stream_waits_thinks_speaks_and_is_counted(protocol: str) -> None:
    answers, speaks, ends = asyncio.Event(), asyncio.Event(), asyncio.Event()
    script = [
        after(answers), stream_head(), event(THINKING), event(THINKING), after(speaks),
        event(piece("x" * 2000)), after(ends), event(STOP), event("[DONE]"), LAST_CHUNK,
    ]  # fmt: skip
    async with (
        RawUpstream(script) as upstream,
        running_gateway(upstream_table(upstream.url, more=KEY)) as gateway,
        asking(gateway, *ASKED[protocol]) as asked,
    ):
        watch = Watch(gateway)
        row = await watch.phase("waiting")
        assert (row["protocol"], row["model"], row["route"], row["account"]) == (protocol, "m", "up/m", "up")
        assert (row["tokens"], row["attempts"]) == (0, 1)
        answers.set()
        row = await watch.phase("thinking")
        assert 0 < row["tokens"] < 100
        speaks.set()
        row = await watch.phase("streaming")
        assert 400 < row["tokens"] < 1000, "about a quarter of the characters"
        assert row["tokens_per_s"] > 0
        assert row["stream"] is True
        ends.set()
        assert await asked
        told = await watch.until(lambda told: told["totals"]["requests"] == 1)

    assert (told["in_flight"], told["in_flight_total"], told["minute"]["errors"]) == ([], 0, 0)
    assert told["totals"]["tokens"] > 400
    assert told["minute"]["first_byte_p50_s"] > 0
    assert sum(second["requests"] for second in told["history"]) == 1


async def test_a_json_answer_waits_until_it_is_there() -> None:
    answers = asyncio.Event()
    async with (
        RawUpstream([after(answers), answer(whole())]) as upstream,
        running_gateway(upstream_table(upstream.url, more=KEY)) as gateway,
        asking(gateway, "/v1/chat/completions", chat_body()) as asked,
    ):
        row = await Watch(gateway).phase("waiting")
        assert row["stream"] is False
        answers.set()
        assert b"choices" in await asked


async def test_who_finds_every_account_busy_is_queued() -> None:
    ends = asyncio.Event()
    script = [stream_head(), event(piece("a")), after(ends), event(STOP), event("[DONE]"), LAST_CHUNK]
    table = upstream_table("{url}", more=f"{KEY}\nconcurrency = 1")
    async with RawUpstream(script) as upstream, running_gateway(table.replace("{url}", upstream.url)) as gateway:
        watch = Watch(gateway)
        async with asking(gateway, "/v1/chat/completions", chat_body(stream=True)) as first:
            await watch.phase("streaming")
            async with asking(gateway, "/v1/chat/completions", chat_body(stream=True)) as second:
                told = await watch.until(lambda told: told["queue"] == 1)
                rows = [(one["phase"], one["account"], one["attempts"]) for one in told["in_flight"]]
                assert rows == [("streaming", "up", 1), ("queued", "", 0)]
                assert told["accounts"][0]["in_flight"] == 1
                ends.set()
                await asyncio.gather(first, second)


async def test_a_second_try_is_told_and_what_the_first_said_is_not_counted() -> None:
    ends = asyncio.Event()
    good = [stream_head(), event(piece("a")), after(ends), event(STOP), event("[DONE]"), LAST_CHUNK]
    async with (
        RawUpstream([answer(b'{"error":{"message":"busy"}}', 503)], good) as upstream,
        running_gateway(upstream_table(upstream.url, more=KEY)) as gateway,
        asking(gateway, "/v1/chat/completions", chat_body(stream=True)) as asked,
    ):
        row = await Watch(gateway).phase("streaming")
        assert row["attempts"] == 2
        ends.set()
        await asked


async def test_a_client_that_leaves_is_no_error() -> None:
    async with (
        RawUpstream([after(asyncio.Event())]) as upstream,
        running_gateway(upstream_table(upstream.url, more=KEY)) as gateway,
    ):
        watch = Watch(gateway)
        async with asking(gateway, "/v1/chat/completions", chat_body(stream=True)):
            await watch.phase("waiting")
        told = await watch.until(lambda told: told["totals"]["requests"] == 1)
    assert (told["in_flight"], told["totals"]["errors"], told["minute"]["error_rate"]) == ([], 0, 0.0)


async def test_the_demo_is_seen_to_think_before_it_speaks() -> None:
    demo = await start_demo(keys=Keys(good={"sk-demo"}), delay_s=0.05)
    table = upstream_table(demo.url, more='api_key = "sk-demo"').replace("openai_compatible", "iflow")
    async with demo, running_gateway(table) as gateway:
        watch = Watch(gateway)
        body = {"model": "glm-5+thinking", "messages": MESSAGES, "stream": True}
        async with asking(gateway, "/v1/chat/completions", body) as asked:
            seen: list[str] = []
            while not asked.done():
                seen += [one["phase"] for one in (await watch.now())["in_flight"]]
            assert b"[DONE]" in await asked
    order = list(dict.fromkeys(seen))
    assert [phase for phase in order if phase in ("thinking", "streaming")] == ["thinking", "streaming"]
