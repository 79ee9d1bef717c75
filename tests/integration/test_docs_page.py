"""`/docs` in a real browser: what a person sees, types and presses there, and that its policy lets it be drawn."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.support.browser import Browser, missing
from tests.support.described import operations
from tests.support.gateway import RunningGateway, running_gateway, upstream_table

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

OWN: Final = [operation["operationId"] for _, _, operation in operations() if "x-same-as" not in operation]
NOWHERE: Final = upstream_table("http://127.0.0.1:9/v1")
SEEN: Final = "[...document.querySelectorAll('.operation')].filter((one) => one.offsetParent).map((one) => one.id)"


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    async with running_gateway(NOWHERE) as running:
        yield running


async def until(chromium: Browser, script: str, wanted: Any) -> None:
    """Wait for a script to come to this."""
    ends_at, seen = time.monotonic() + 10, None
    while (seen := await chromium.script(script)) != wanted:
        assert time.monotonic() < ends_at, f"{script}: {seen!r}"


async def open_docs(chromium: Browser, gateway: RunningGateway, anchor: str = "") -> None:
    await chromium.open("about:blank")  # else a new anchor would only be jumped to
    await chromium.open(f"{gateway.url}/docs{anchor}")
    await until(chromium, "return document.querySelectorAll('.operation').length", len(OWN))


async def test_every_operation_is_drawn_and_listed_beside(chromium: Browser, gateway: RunningGateway) -> None:
    await chromium.look(1600, "light")
    await open_docs(chromium, gateway)

    assert sorted(await chromium.script(f"return {SEEN}")) == sorted(OWN)
    listed = await chromium.script("return [...document.querySelectorAll('nav a')].map((one) => one.hash.slice(1))")
    assert sorted(listed) == sorted(OWN)


async def test_an_address_opens_its_operation_with_a_line_to_copy(chromium: Browser, gateway: RunningGateway) -> None:
    await open_docs(chromium, gateway, "#createMessage")

    text = await chromium.text("#createMessage")
    assert f"curl {gateway.url}/v1/messages -H 'Content-Type: application/json' -d '" in text
    assert "max_tokens" in text
    assert "/anthropic/v1/messages" in text


async def test_typing_narrows_and_escape_shows_all_again(chromium: Browser, gateway: RunningGateway) -> None:
    await open_docs(chromium, gateway)
    press = "document.{0}.dispatchEvent(new KeyboardEvent('keydown', {{key: '{1}', bubbles: true}}))"

    await chromium.script(press.format("body", "/"))
    assert await chromium.script("return document.activeElement.id") == "search"
    await chromium.write("#search", "COUNT tokens")
    assert await chromium.script(f"return {SEEN}") == ["countMessageTokens", "countTokens"]
    await chromium.see("2 endpoints", "#found")
    await chromium.script(press.format("activeElement", "Escape"))
    assert len(await chromium.script(f"return {SEEN}")) == len(OWN)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1600])
async def test_nothing_is_wider_than_the_window_with_all_of_it_open(
    chromium: Browser, gateway: RunningGateway, width: int, scheme: str
) -> None:
    await chromium.look(width, scheme)
    await open_docs(chromium, gateway)
    await chromium.script("document.querySelectorAll('.operation').forEach((one) => { one.open = true; one.fill() })")
    await chromium.script("document.querySelectorAll('.answer').forEach((one) => { one.open = true; one.fill() })")

    wide, room = await chromium.script("return [document.body.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room
    assert await chromium.script("return document.querySelectorAll('pre').length") > len(OWN)
    assert "undefined" not in await chromium.text("main")
