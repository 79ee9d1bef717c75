from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from iflow_cli_proxy.telemetry.formats import FIELDS
from tests.support.admin import Browser, admin_page, lines_of_the_page


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with admin_page() as browser:
        yield browser


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"current": "x"}, 400, "new"),
        ({"current": "x", "new": None}, 400, "new"),
        ({"current": "x", "new": "y", "other": 1}, 400, "other"),
        (b"nonsense", 400, None),
        (b"[1]", 400, None),
        (b"{" + b" " * 300_000 + b"}", 413, None),
    ],
)
async def test_a_body_is_what_its_call_knows(browser: Browser, body: object, status: int, param: str | None) -> None:
    reply = await browser.post("/admin/password", body)

    assert reply.status == status
    assert reply.json["error"]["param"] == param


async def test_what_changes_something_leaves_one_line_with_who_and_no_secret(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "iflow2api.admin"):
        await browser.post("/admin/logout", {})

    (record,) = lines_of_the_page(caplog)
    assert record.getMessage() == "admin: signed out"
    told = getattr(record, FIELDS)
    assert told["from"] == "127.0.0.1"
    assert len(told["session"]) == 8
    assert browser.csrf not in str(told)
