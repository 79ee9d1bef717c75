from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.admin import Browser, admin_page
from tests.support.front_door import GOOD_ANSWER
from tests.support.gateway import post_chat, upstream_table
from tests.support.ledgers import fill, row
from tests.support.patience import PATIENCE_S
from tests.support.raw_upstream import RawUpstream


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    fill(
        tmp_path / "usage.sqlite3",
        [
            row(n, client="alice" if n % 2 else "bob", model_served=f"m{n % 3}", prompt=10, completion=5)
            for n in range(7)
        ],
    )
    async with RawUpstream([GOOD_ANSWER]) as upstream:
        toml = upstream_table(f"{upstream.url}/v1") + "\n[ledger]\nretention_days = 0"
        async with admin_page(toml, home=tmp_path) as browser:
            yield browser


async def test_usage_is_what_the_command_says(browser: Browser) -> None:
    told = (await browser.get("/admin/usage?by=key,model&since=2026-11-01&until=2026-11-30")).json

    assert told["by"] == ["key", "model"]
    assert told["total"]["requests"] == 7
    assert {one["key"] for one in told["rows"]} == {"alice", "bob"}
    assert (await browser.get("/admin/usage")).json["by"] == ["day"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("by=nonsense", "by"), ("since=soon", "since"), ("until=2020-01-01", "until"), ("by=" + "x" * 300, "by"),
        ("since=' OR 1=1", "since"),
    ],
)  # fmt: skip
async def test_usage_refuses_what_it_does_not_know(browser: Browser, query: str, param: str) -> None:
    reply = await browser.get(f"/admin/usage?{query}")

    assert (reply.status, reply.json["error"]["param"]) == (400, param)


async def test_requests_are_paged_and_searched(browser: Browser) -> None:
    first = (await browser.get("/admin/requests?limit=3")).json
    second = (await browser.get(f"/admin/requests?limit=100&before={first['next']}")).json

    assert [one["id"] for one in first["requests"]] == ["req_6", "req_5", "req_4"]
    assert [one["id"] for one in second["requests"]] == ["req_3", "req_2", "req_1", "req_0"]
    assert second["next"] is None
    assert first["requests"][0]["cursor"] > first["requests"][1]["cursor"] == first["next"] + 1
    assert (await browser.get("/admin/requests?key=alice&model=m1")).json["requests"][0]["key"] == "alice"
    assert (await browser.get("/admin/requests?failed=1")).json == {"requests": [], "next": None}


@pytest.mark.parametrize("text", ["%25", "_______________", "'", "%27%20OR%201=1%20--", "%5c", "x" * 200])
async def test_i48_what_is_looked_for_means_itself(browser: Browser, text: str) -> None:
    assert (await browser.get(f"/admin/requests?q={text}")).json["requests"] == []


@pytest.mark.parametrize("query", ["q=" + "x" * 10_000, "limit=0", "limit=-1", "before=x", "failed=perhaps", "q=%00"])
async def test_i48_too_much_is_refused(browser: Browser, query: str) -> None:
    assert (await browser.get(f"/admin/requests?{query}")).status in (400, 414)


async def test_one_request_shows_how_it_went(browser: Browser) -> None:
    _, headers, _ = await post_chat(browser.gateway)
    request_id = headers["x-request-id"]
    async with asyncio.timeout(PATIENCE_S):
        while (reply := await browser.get(f"/admin/requests/{request_id}")).status == 404:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # the ledger has a thread of its own
    assert reply.json["row"]["id"] == request_id
    assert "flight" in reply.json

    older = (await browser.get("/admin/requests/req_3")).json
    assert (older["row"]["at"][:10], older["flight"]) == ("2026-11-18", None)
    assert (await browser.get("/admin/requests/nobody")).status == 404


async def test_without_a_ledger_there_is_nothing_yet() -> None:
    async with admin_page("[ledger]\nenabled = false") as browser:
        assert (await browser.get("/admin/requests")).json == {"requests": [], "next": None}
        assert (await browser.get("/admin/usage")).json["rows"] == []
        assert (await browser.get("/admin/requests/x")).status == 404
