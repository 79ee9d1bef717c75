from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.admin import Browser, admin_page, another
from tests.support.chat_stream import stream_of
from tests.support.front_door import GOOD_ANSWER
from tests.support.gateway import chat_body, upstream_table
from tests.support.raw_upstream import RawUpstream

CANARY = "a prompt nobody logs"


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    async with RawUpstream([GOOD_ANSWER]) as upstream:
        yield upstream


@pytest.fixture
async def browser(upstream: RawUpstream) -> AsyncIterator[Browser]:
    async with admin_page(upstream_table(f"{upstream.url}/v1")) as browser:
        yield browser


async def test_an_answer_is_what_a_client_would_get_and_is_recorded(browser: Browser) -> None:
    reply = await browser.post("/admin/playground", chat_body())

    assert reply.json["choices"][0]["message"]["content"] == "hello"
    assert reply.headers["x-content-type-options"] == "nosniff"
    (exchange,) = browser.gateway.exchanges
    assert (exchange.client, exchange.status, exchange.protocol) == ("admin page", 200, "openai_chat")


async def test_errors_are_those_of_a_client(browser: Browser) -> None:
    for body in ({"model": "m"}, {}, b"nonsense"):
        here = await browser.post("/admin/playground", body)
        there = await browser.post("/v1/chat/completions", body)
        assert (here.status, here.json) == (there.status, there.json)
        assert "type" in here.json["error"]


async def test_strangers_ask_nothing_and_leave_nothing(browser: Browser, upstream: RawUpstream) -> None:
    assert (await another(browser).post("/admin/playground", chat_body())).status == 401
    assert (await browser.post("/admin/playground", chat_body(), x_csrf_token=None)).status == 403
    assert (await browser.post("/admin/playground", chat_body(), Origin="http://evil.example")).status == 403

    assert browser.gateway.exchanges == []
    assert upstream.requests == []


async def test_stopped_it_answers_as_to_a_client(browser: Browser) -> None:
    await browser.post("/admin/server/stop", {})
    reply = await browser.post("/admin/playground", chat_body())

    assert (reply.status, reply.json["error"]["code"]) == (503, "draining")


async def test_a_stream_comes_as_it_is_made() -> None:
    async with (
        RawUpstream(stream_of()) as upstream,
        admin_page(upstream_table(f"{upstream.url}/v1")) as browser,
    ):
        reply = await browser.post("/admin/playground", chat_body(stream=True))

        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.body.endswith(b"data: [DONE]\n\n")
