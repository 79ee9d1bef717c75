from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from iflow_cli_proxy.demo.faults import Happening, Pause, Plain, Step
from iflow_cli_proxy.demo.sending import hang_up, play, whole


@asynccontextmanager
async def answering(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[aiohttp.ClientResponse]:
    app = web.Application()
    app.router.add_get("/", handler)
    async with TestServer(app) as server, aiohttp.ClientSession() as session, session.get(server.make_url("/")) as got:
        yield got


def playing(*steps: Step) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    closing = asyncio.Event()
    closing.set()

    def each() -> Iterator[Step]:
        yield from steps

    async def handler(request: web.Request) -> web.StreamResponse:
        return await play(request, each(), "text/event-stream", closing)

    return handler


def test_a_whole_answer_keeps_status_body_and_headers() -> None:
    made = whole(Plain(status=429, body=b"{}", headers={"Retry-After": "3"}))
    assert (made.status, made.body, made.headers["Retry-After"]) == (429, b"{}", "3")
    assert made.content_type == "application/json"


async def test_steps_are_sent_in_order() -> None:
    async with answering(playing(b"a", Pause(0), b"", b"b")) as got:
        assert got.headers["content-type"] == "text/event-stream"
        assert await got.read() == b"ab"


@pytest.mark.parametrize("happening", [Happening.CLOSE, Happening.RESET])
async def test_a_happening_breaks_the_answer_off(happening: Happening) -> None:
    async with answering(playing(b"a", happening, b"b")) as got:
        with pytest.raises(aiohttp.ClientError):
            await got.read()


async def test_an_answer_that_hangs_breaks_off_when_the_demo_ends() -> None:
    async with answering(playing(b"a", Happening.HANG)) as got:
        with pytest.raises(aiohttp.ClientError):
            await got.read()


@pytest.mark.parametrize("is_reset", [True, False])
async def test_hanging_up_leaves_the_client_without_an_answer(is_reset: bool) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return hang_up(request, is_reset=is_reset)

    with pytest.raises(aiohttp.ClientError):
        async with answering(handler):
            pass
