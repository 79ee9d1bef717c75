"""Signing in with a real browser: a command in a terminal window, the demo's pages in Chromium, buttons pressed.

What only a browser shows is tried here: redirects as it follows them, `localhost` as it resolves it, the headers it
adds by itself, and what stands in its address bar at the end.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.tokens import Rules
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.signin import pages
from tests.support.browser import Browser, BrowserError, missing
from tests.support.gateway import chat_body, post_chat
from tests.support.people import Household, household

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

from tests.support.window import Window, login_window

PAGE: Final = r"(http://127\.0\.0\.1:\d+/\S+\?\S+)"


class Someone:
    """A person with a terminal and a browser, both on this machine."""

    def __init__(self, house: Household, browser: Browser) -> None:
        self.house = house
        self.browser = browser
        house.settle()

    def runs(self, *args: str) -> AbstractAsyncContextManager[Window]:
        """`login` with a BROWSER that opens nothing: the page is opened by hand, to be seen."""
        return login_window(self.house.home, *args, BROWSER="true")

    async def opens(self, terminal: Window) -> str:
        """The page that the terminal shows; its address."""
        page = (await terminal.see(PAGE))[1]
        await self.browser.open(page)
        return page

    async def approves(self, account: str = "ada") -> None:
        await self.browser.write("#account", account)
        await self.browser.click("#approve")

    async def sees(self, title: str) -> None:
        """Wait for the page with this heading."""
        await self.browser.see(title, "h1")

    async def has_left_the_code_behind(self) -> bool:
        """The address bar shows our last page, and nothing of what brought the browser there."""
        where = urlsplit(await self.browser.address())
        return where.hostname in ("localhost", "127.0.0.1") and where.path.endswith("/done") and not where.query

    @property
    def saved(self) -> SavedAccount:
        """The only account, from a file that nobody else can read."""
        (account,) = self.house.store.load().accounts
        (file,) = (self.house.home / "accounts").glob("*.json")
        assert file.stat().st_mode & 0o777 == 0o600
        return account

    async def is_answered(self, provider: str, model: str) -> None:
        """By a gateway that has nothing but this home folder and settings for one provider."""
        async with self.house.gateway(provider) as gateway:
            status, _, body = await post_chat(gateway, chat_body(model=model))
        assert status == 200, body
        assert jsonx.decode(body)["choices"][0]["message"]["content"]


@pytest.fixture
async def someone(chromium: Browser, tmp_path: Path) -> AsyncIterator[Someone]:
    async with household(tmp_path, rules=Rules(poll_interval_s=1)) as house:
        await chromium.begin()
        yield Someone(house, chromium)


def way_back(page: str, **answer: str) -> str:
    """The address that a sign-in page sends the browser to, with an answer."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
    return f"{asked['redirect']}?{urlencode({'state': asked['state'], **answer})}"


# --- by the browser of this machine -------------------------------------------------------------------------------


async def test_iflow_is_approved_with_a_click_and_the_gateway_answers(someone: Someone) -> None:
    async with someone.runs("iflow", "--browser") as terminal:
        await someone.opens(terminal)
        await someone.approves()
        await someone.sees("Signed in")
        assert "You are signed in at iflow." in await someone.browser.text("main")
        assert await someone.browser.status() == 200
        assert await someone.has_left_the_code_behind()
        await terminal.see("Signed in at iflow")
        assert await terminal.end() == 0
        assert terminal.is_clean
    assert someone.saved.can_refresh
    await someone.is_answered("iflow", "glm-4.7")


async def test_a_provider_that_is_only_a_table_is_signed_in_with_pkce(someone: Someone) -> None:
    async with someone.runs("standard", "--browser") as terminal:
        asked = parse_qs(urlsplit(await someone.opens(terminal)).query)
        assert asked["code_challenge_method"] == ["S256"]
        await someone.approves()
        await someone.sees("Signed in")
        assert await someone.has_left_the_code_behind()
        assert await terminal.end() == 0
    assert someone.saved.can_refresh
    await someone.is_answered("standard", "glm-4.7")


async def test_a_refusal_is_told_in_the_browser_and_leaves_with_4(someone: Someone) -> None:
    async with someone.runs("iflow", "--browser") as terminal:
        await someone.opens(terminal)
        await someone.browser.click("#refuse")
        await someone.sees("The sign-in did not work")
        assert await someone.browser.text("code") == "iflow2api login iflow"
        assert await someone.has_left_the_code_behind()
        assert await terminal.end() == 4
        assert terminal.is_clean
    assert someone.house.store.load().accounts == ()


async def test_i49_a_tab_with_a_forged_state_is_turned_away_and_the_sign_in_goes_on(someone: Someone) -> None:
    async with someone.runs("iflow", "--browser") as terminal:
        page = await someone.opens(terminal)
        right = await someone.browser.tab()
        await someone.browser.show_tab(await someone.browser.open_tab())
        await someone.browser.open(way_back(page, code="stolen", state="forged"))
        assert await someone.browser.status() == 400
        await someone.sees("Not the sign-in that is waiting")
        await someone.browser.show_tab(right)
        await someone.approves()
        await someone.sees("Signed in")
        assert await terminal.end() == 0
    assert someone.house.calls["code"] == 1, "the forged one was never redeemed"
    assert someone.saved.can_refresh


async def test_i50_an_answer_that_is_opened_again_signs_in_nobody_else(someone: Someone) -> None:
    async with someone.runs("iflow", "--browser") as terminal:
        page = await someone.opens(terminal)
        await someone.approves()
        await someone.sees("Signed in")
        assert await terminal.end() == 0
        with pytest.raises(BrowserError, match="ERR_CONNECTION_REFUSED"):  # the port closed with the sign-in
            await someone.browser.open(way_back(page, code="again"))
    assert someone.house.calls["code"] == 1


async def test_i51_a_page_from_elsewhere_cannot_bring_the_answer_by_the_back_door(someone: Someone) -> None:
    """Not even one that knows the state: pictures, scripts, frames and forms are told apart by what browsers add."""

    async def lure(request: web.Request) -> web.Response:
        target = request.query["target"]
        return web.Response(content_type="text/html", text=LURE.replace("TARGET", target.replace("&", "&amp;")))

    app = web.Application()
    app.router.add_get("/", lure)
    async with someone.runs("iflow", "--browser") as terminal, TestServer(app, host="127.0.0.1") as elsewhere:
        page = (await terminal.see(PAGE))[1]
        target = way_back(page, code="stolen")
        await someone.browser.open(str(elsewhere.make_url("/").with_query(target=target)))
        assert await someone.browser.text("#picture") == "refused"
        assert await someone.browser.text("#script") == "refused"
        await someone.browser.click("#send")
        await someone.sees("Nothing to see here")
        assert await someone.browser.status() == 403
        await someone.browser.open(page)
        await someone.approves()
        await someone.sees("Signed in")
        assert await terminal.end() == 0
    assert someone.house.calls["code"] == 1


LURE: Final = """<!doctype html><p id="picture"></p><p id="script"></p>
<img src="TARGET" onerror="picture.textContent = 'refused'">
<script src="TARGET" onerror="script.textContent = 'refused'"></script>
<iframe src="TARGET"></iframe>
<form method="post" action="TARGET"><button id="send">Look at kittens</button></form>"""


# --- on any device ------------------------------------------------------------------------------------------------


async def test_qwens_code_is_typed_and_confirmed_on_its_page(someone: Someone) -> None:
    async with someone.runs("qwen", "--device") as terminal:
        code = (await terminal.see(r"│ +([A-Z]{4}-[A-Z]{4}) +│"))[1]
        await terminal.see("left · waiting for you")
        await someone.browser.open(f"{someone.house.demo.origin}/authorize")
        await someone.browser.write("#user_code", code)
        await someone.browser.click("#next")
        await someone.approves()
        await someone.sees("Signed in")
        assert "Go back" in await someone.browser.text("#message")
        await terminal.see("Signed in at qwen")
        assert await terminal.end() == 0
        assert terminal.is_clean
    assert someone.saved.can_refresh
    await someone.is_answered("qwen", "coder-model")


async def test_iflows_code_is_read_in_the_browser_and_pasted_into_the_terminal(someone: Someone) -> None:
    async with someone.runs("iflow", "--paste") as terminal:
        await someone.opens(terminal)
        await terminal.see("Code or address: ")
        await someone.approves()
        await someone.sees("Your code")
        terminal.type(f"{await someone.browser.text('#code')}\n")
        await terminal.see("Signed in at iflow")
        assert await terminal.end() == 0
        assert terminal.is_clean
    assert someone.saved.can_refresh
    await someone.is_answered("iflow", "glm-4.7")


# --- the last page ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [380, 1280])
@pytest.mark.parametrize(("scheme", "is_ground_bright"), [("light", True), ("dark", False)])
async def test_the_last_page_fits_the_window_and_the_eyes(
    someone: Someone, width: int, scheme: str, is_ground_bright: bool
) -> None:
    page = pages.failed("It broke: " + "x" * 200, "iflow2api login " + "y" * 60)

    async def last(_: web.Request) -> web.Response:
        return web.Response(body=page.html, content_type="text/html", charset="utf-8", headers=pages.HEADERS)

    app = web.Application()
    app.router.add_get("/", last)
    await someone.browser.look(width, scheme)
    async with TestServer(app, host="127.0.0.1") as server:
        await someone.browser.open(str(server.make_url("/")))
        assert await someone.browser.script("return document.documentElement.scrollWidth") == width
        ground, ink = await someone.browser.script(
            "const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]"
        )
    assert brightness(ground) > 0.9 if is_ground_bright else brightness(ground) < 0.1
    assert abs(brightness(ground) - brightness(ink)) > 0.7


def brightness(colour: str) -> float:
    """Of `rgb(...)`, from 0 to 1; of none at all, which would mean that the policy has refused the style, -1."""
    found = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour)
    return sum(map(int, found.groups())) / 765 if found else -1.0


# --- the browser itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["http://example.com/", "http://192.0.2.1/", "https://iflow.cn/oauth"])
async def test_this_browser_reaches_nothing_beyond_this_machine(someone: Someone, address: str) -> None:
    with pytest.raises(BrowserError, match=r"ERR_PROXY_CONNECTION_FAILED|ERR_NAME_NOT_RESOLVED"):
        await someone.browser.open(address)
