"""`login` in a terminal window against the demo upstream: real sockets, a real pty, somebody who reads and types."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import pytest

from iflow_cli_proxy.pool.saved import SavedAccount

if sys.platform == "win32":
    pytest.skip("ptys of POSIX", allow_module_level=True)

from tests.support.demo_signin import Caller
from tests.support.patience import until
from tests.support.people import Household, household
from tests.support.window import Window, login_window

PAGE = r"(http://127\.0\.0\.1:\d+/oauth\?\S+)"


class Someone:
    """A person with a terminal here and a browser wherever they like."""

    def __init__(self, house: Household, browser: aiohttp.ClientSession) -> None:
        self.house = house
        self.browser = browser
        house.settle()

    def runs(self, *args: str, width: int = 80, **env: str) -> AbstractAsyncContextManager[Window]:
        return login_window(self.house.home, *args, width=width, **env)

    async def decides(self, page: str, decision: str = "approve") -> str:
        """Press a button of iFlow's page; the address that the browser is sent to."""
        path, _, query = page.partition("?")
        async with self.browser.post(
            path, data=f"{query}&decision={decision}&account=ada",
            headers={"content-type": "application/x-www-form-urlencoded"}, allow_redirects=False,
        ) as answer:  # fmt: skip
            return answer.headers["location"]

    async def follows(self, address: str) -> str:
        """The last page of the browser."""
        async with self.browser.get(address.replace("localhost", "127.0.0.1")) as answer:
            return await answer.text()

    async def confirms(self, user_code: str, decision: str = "approve") -> None:
        answer = await Caller(self.house.demo, self.browser).confirm(user_code, decision)
        assert answer.status == 200

    def hurries(self) -> None:
        """Codes may be asked about at once."""
        self.house.demo.app.oauth.faults.append("device:interval_0")

    @property
    def saved(self) -> tuple[SavedAccount, ...]:
        return self.house.store.load().accounts


@pytest.fixture
async def someone(tmp_path: Path) -> AsyncIterator[Someone]:
    async with household(tmp_path) as house, aiohttp.ClientSession() as browser:
        yield Someone(house, browser)


async def test_the_browser_of_this_machine_signs_in(someone: Someone) -> None:
    opened = someone.house.home / "opened"
    script = someone.house.home / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    script.chmod(0o700)
    async with someone.runs("iflow", "--name", "work", DISPLAY=":0", BROWSER=f"{script} %s") as terminal:
        await terminal.see("waiting for the browser")
        page = (await terminal.see(PAGE))[1]
        await until(opened.exists)
        last = await someone.follows(await someone.decides(page))
        assert "Signed in" in last
        await terminal.see("Signed in at iflow as work")
        assert await terminal.end() == 0
        assert terminal.is_clean
        assert opened.read_text().strip() == page
    (account,) = someone.saved
    assert account.can_refresh
    assert account.api_key.reveal() not in terminal.text


async def test_the_browser_is_elsewhere_and_the_address_is_pasted(someone: Someone) -> None:
    async with someone.runs("iflow", "--browser") as terminal:
        page = (await terminal.see(PAGE))[1]
        await terminal.see("waiting for the browser")
        terminal.type("ls -la\n")
        await terminal.see("that was not the address")
        address = await someone.decides(page)
        terminal.type(f"{address}\n")
        await terminal.see("Signed in at iflow")
        assert await terminal.end() == 0
        assert terminal.is_clean
        assert address not in terminal.text
    assert len(someone.saved) == 1


async def test_a_refusal_in_the_browser_leaves_with_4(someone: Someone) -> None:
    async with someone.runs("iflow", "--browser") as terminal:
        page = (await terminal.see(PAGE))[1]
        last = await someone.follows(await someone.decides(page, "refuse"))
        assert "did not work" in last
        assert await terminal.end() == 4
        assert terminal.is_clean
        assert "`iflow2api login iflow`" in terminal.text
    assert someone.saved == ()


async def test_over_ssh_the_address_is_pasted_without_being_told_to(someone: Someone) -> None:
    ssh = {"SSH_CONNECTION": "10.0.0.1 5000 10.0.0.2 22", "DISPLAY": "localhost:10.0"}
    async with someone.runs("iflow", **ssh) as terminal:
        page = (await terminal.see(PAGE))[1]
        await terminal.see("Code or address: ")
        terminal.type("this is not it\n")
        await terminal.see("Hint: (.|\n)*Code or address: ")
        terminal.type(f"{await someone.decides(page)}\n")
        await terminal.see("Signed in at iflow")
        assert await terminal.end() == 0
    assert len(someone.saved) == 1


@pytest.mark.parametrize("width", [40, 80])
async def test_a_device_code_is_confirmed_on_a_phone(someone: Someone, width: int) -> None:
    someone.hurries()
    async with someone.runs("qwen", width=width) as terminal:
        await terminal.see("left · waiting for you")
        assert "▀▀▀▀▀" in terminal.text
        code = (await terminal.see(r"│ +([A-Z]{4}-[A-Z]{4}) +│"))[1]
        await someone.confirms(code)
        await terminal.see("Signed in at qwen")
        assert await terminal.end() == 0
        assert terminal.is_clean
    assert someone.saved[0].can_refresh


async def test_a_device_code_that_is_refused_leaves_with_4(someone: Someone) -> None:
    someone.hurries()
    async with someone.runs("qwen") as terminal:
        code = (await terminal.see(r"│ +([A-Z]{4}-[A-Z]{4}) +│"))[1]
        await someone.confirms(code, "refuse")
        assert await terminal.end() == 4
        assert terminal.is_clean
        assert "`iflow2api login qwen`" in terminal.text


@pytest.mark.parametrize("provider", ["iflow", "qwen"], ids=["browser", "device"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_however_it_is_stopped_the_terminal_stays_clean(
    someone: Someone, provider: str, number: signal.Signals, status: int
) -> None:
    async with someone.runs(provider, DISPLAY=":0", BROWSER="true") as terminal:
        await terminal.see("left · waiting for")
        if number is signal.SIGINT:
            terminal.type("\x03")
        else:
            terminal.process.send_signal(number)
        assert await terminal.end() == status
        assert terminal.is_clean
        assert "Traceback" not in terminal.text
    assert someone.saved == ()


async def test_a_key_is_typed_without_being_shown(someone: Someone) -> None:
    async with someone.runs() as terminal:
        await terminal.see(r"Provider, by name or number \[iflow\]: ")
        terminal.type("qwen\n")
        await terminal.see("left · waiting for you")
        terminal.type("\x03")
        assert await terminal.end() == 130
    async with someone.runs("iflow", "--api-key") as terminal:
        await terminal.see("API key of iflow: ")
        terminal.type(f"{someone.house.demo.key}\n")
        await terminal.see("Signed in at iflow")
        assert await terminal.end() == 0
        assert terminal.is_clean
        assert someone.house.demo.key not in terminal.text


async def test_a_key_that_the_upstream_does_not_take_is_saved_and_leaves_with_3(someone: Someone) -> None:
    async with someone.runs("iflow", "--api-key") as terminal:
        await terminal.see("API key of iflow: ")
        terminal.type("sk-nobody-knows-this-one\n")
        await terminal.see("could not be used yet")
        assert await terminal.end() == 3
    assert len(someone.saved) == 1
