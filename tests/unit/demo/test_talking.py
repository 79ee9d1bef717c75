from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.faults import Fault
from iflow_cli_proxy.demo.talking import Talker
from iflow_cli_proxy.routing.catalog import Model

MODEL = Model(id="demo-model")


async def told(fault: Fault | None = None, *, seed: int = 0, **fields: Any) -> tuple[str, bytes]:
    """Content type and body of one answer."""
    talker = Talker(delay_s=0, seed=seed)
    body = {"messages": [{"role": "user", "content": "hi"}], **fields}
    app = web.Application()

    async def handler(request: web.Request) -> web.StreamResponse:
        return await talker.answer(request, body, MODEL, fault)

    app.router.add_get("/", handler)
    async with TestServer(app) as server, aiohttp.ClientSession() as session, session.get(server.make_url("/")) as got:
        return got.content_type, await got.read()


async def test_it_answers_whole_or_as_a_stream() -> None:
    kind, body = await told()
    assert (kind, jsonx.decode(body)["model"]) == ("application/json", "demo-model")

    kind, body = await told(stream=True)
    assert kind == "text/event-stream"
    assert body.endswith(b"data:[DONE]\n\n")


async def test_the_seed_decides_what_it_says() -> None:
    said = [jsonx.decode((await told(seed=seed))[1])["choices"] for seed in (0, 0, 1, 2, 3)]
    assert said[0] == said[1]
    assert any(one != said[0] for one in said[2:])


async def test_a_fault_bends_the_stream() -> None:
    _, body = await told(Fault(name="error_finish"), stream=True)
    assert b'"finish_reason":"error_finish"' in body


async def test_an_answer_that_is_cut_arrives_cut() -> None:
    for is_stream in (True, False):
        with pytest.raises(aiohttp.ClientError):
            await told(Fault(name="cut"), stream=is_stream)


def test_a_fault_with_a_number_of_times_ends_after_them() -> None:
    talker = Talker(delay_s=0, seed=0)
    twice, always = Fault(name="cut", times=2), Fault(name="html")
    assert [talker.still_due(twice) for _ in range(3)] == [twice, twice, None]
    assert [talker.still_due(always) for _ in range(3)] == [always] * 3
    assert talker.still_due(None) is None
