from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.support.admin import Browser, admin_page, lines_of_the_page
from tests.support.front_door import GOOD_ANSWER
from tests.support.gateway import post_chat, upstream_table
from tests.support.raw_upstream import RawUpstream


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with RawUpstream([GOOD_ANSWER]) as upstream, admin_page(upstream_table(f"{upstream.url}/v1")) as browser:
        yield browser


async def test_stopped_it_refuses_prompts_and_nothing_else(browser: Browser) -> None:
    assert (await browser.post("/admin/server/stop", {})).json == {"accepting": False}

    status, headers, body = await post_chat(browser.gateway)
    assert status == 503
    assert int(headers["retry-after"]) >= 1
    assert b'"type"' in body
    assert (await browser.post("/v1/messages", {"model": "m", "max_tokens": 1, "messages": []})).json["type"] == "error"
    ready = await browser.get("/ready")
    assert (ready.status, ready.json["status"]) == (503, "not ready")
    assert (await browser.get("/health")).status == 200
    assert (await browser.get("/v1/models")).status == 200
    assert (await browser.get("/admin/live")).json["accepting"] is False

    assert (await browser.post("/admin/server/start", {})).json == {"accepting": True}
    assert (await post_chat(browser.gateway))[0] == 200
    assert (await browser.get("/ready")).status == 200


async def test_calls_of_the_page_are_no_questions_and_take_no_place(browser: Browser) -> None:
    live = browser.gateway.services.settings
    server = browser.gateway.server.state
    live.replace(replace(live.current, server=replace(live.current.server, max_in_flight=1)))
    stranger = object()
    server.in_flight.add(stranger)  # type: ignore[arg-type]  # only counted
    assert (await browser.post("/admin/server/stop", {})).status == 200
    server.in_flight.clear()

    assert browser.gateway.exchanges == []


async def test_each_act_leaves_one_line(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "iflow2api.admin"):
        for path in ("stop", "stop", "start"):
            await browser.post(f"/admin/server/{path}", {})

    assert [record.getMessage() for record in lines_of_the_page(caplog)] == [
        "admin: no requests are taken from now on",
        "admin: requests are taken again",
    ]


async def test_the_log_is_paged(browser: Browser) -> None:
    lines = browser.gateway.server.state.log_lines
    lines.write(
        [logging.makeLogRecord({"msg": f"line {n}", "levelname": "INFO", "levelno": logging.INFO}) for n in range(5)]
    )
    first = (await browser.get("/admin/logs?limit=2")).json
    rest = (await browser.get(f"/admin/logs?after={first['lines'][-1]['seq'] - 1}&level=info")).json

    assert [line["message"] for line in first["lines"]] == ["line 3", "line 4"]
    assert [line["message"] for line in rest["lines"]] == ["line 4"]
    assert rest["next"] == first["next"]
    for wrong in ("after=-1", "level=loud", "limit=0", "limit=x"):
        assert (await browser.get(f"/admin/logs?{wrong}")).status == 400


async def test_the_words_of_the_page_are_there_before_anybody_signs_in() -> None:
    async with admin_page(is_signed_in=False) as browser:
        assert (await browser.get("/admin/lang/zh.json")).status == 200
        for name in ("en", "xx", "../zh"):
            assert (await browser.get(f"/admin/lang/{name}.json")).status in (400, 404)


async def test_errors_speak_chinese_to_who_reads_it(browser: Browser) -> None:
    told = (await browser.get("/admin/nothing", Accept_Language="zh-CN,zh;q=0.9")).json["error"]

    assert told["kind"] == "not_found"
    assert isinstance(told["message"], str)
