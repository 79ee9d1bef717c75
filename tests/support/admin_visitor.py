"""Somebody at the admin page with a real browser: signs in, goes from view to view, fills in forms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.tokens import Rules
from tests.support.admin import PASSWORD, steer
from tests.support.browser import Browser
from tests.support.gateway import RunningGateway
from tests.support.people import Household, household

VIEWS: Final = ("", "accounts", "keys", "models", "usage", "requests", "logs", "playground", "settings")


@dataclass
class Visitor:
    """Words are looked for as a person reads them; buttons are named by their text or their label."""

    browser: Browser
    gateway: RunningGateway

    async def arrive(self, language: str = "en") -> None:
        """Signed in, on the dashboard, by the first run."""
        if language != "en":
            await self.browser.open(f"{self.gateway.url}/admin")
            await self.browser.script(f"localStorage.setItem('iflow2api.language', '{language}')")
        await self.follow_the_token()
        await self.browser.write("[name=password]", PASSWORD)
        await self.browser.click("[type=submit]")
        await self.browser.until("document.querySelector('.shell .tile')", "the dashboard")

    async def follow_the_token(self) -> None:
        """The address that the terminal shows; the same path again would only change what is after its `#`."""
        await self.browser.open("about:blank")
        token = self.gateway.server.desk.setup_token.reveal()
        await self.browser.open(f"{self.gateway.url}/admin#setup={quote(token)}")
        await self.browser.until("document.querySelector('form [name=password]')", "the form")

    async def go(self, view: str) -> None:
        """By its address; waits until the server has answered what the view asks for."""
        await self.browser.script(f"location.hash = {_text('#/' + view)}")
        shown = f"location.hash.startsWith({_text('#/' + view)}) && document.querySelector('h1')"
        await self.browser.until(f"{shown} && !document.querySelector('.view [aria-busy=true]')", f"the view {view}")

    async def reads(self, text: str, place: str = "body") -> None:
        """Wait until this is read there."""
        await self.browser.until(_is_read(text, place), text)

    async def reads_no_more(self, text: str, place: str = "body") -> None:
        """Wait until this is gone from there."""
        await self.browser.until(f"!{_is_read(text, place)}", f"no {text}")

    async def press(self, name: str, place: str = "body") -> None:
        """The button or link with this text or label, as soon as it is there and can be pressed."""
        await self.browser.until(f"{_button(name, place)}", f"a button {name!r}")
        await self.browser.script(f"{_button(name, place)}.click()")

    async def fill(self, place: str = "body", **values: str) -> None:
        """Write into inputs by their names, as typed."""
        for name, value in values.items():
            await self.browser.write(f"{place} [name='{name}']", value)

    async def choose(self, selector: str, value: str) -> None:
        """One of the options of a list."""
        chosen = f"const list = document.querySelector({_text(selector)}); list.value = {_text(value)};"
        tell = "for (const kind of ['input', 'change']) list.dispatchEvent(new Event(kind, { bubbles: true }))"
        await self.browser.script(f"{chosen} {tell}")

    async def press_choice(self, name: str) -> None:
        """One of a few that stand side by side."""
        label = f"[...document.querySelectorAll('.choices label')].find((one) => one.innerText === {_text(name)})"
        await self.browser.until(label, f"a choice {name!r}")
        await self.browser.script(f"{label}.querySelector('input').click()")

    async def api(self, path: str) -> Any:
        """What the page would be told by the server."""
        return await self.browser.script(f"return fetch({_text('/admin/' + path)}).then((answer) => answer.json())")

    async def overflows(self) -> Any:
        """What stands out of the window to the right; nothing where it fits."""
        return await self.browser.script(
            "const width = document.documentElement.clientWidth;"
            "if (document.documentElement.scrollWidth <= width) return [];"
            "return [...document.querySelectorAll('body *')]"
            ".filter((node) => node.getBoundingClientRect().right > width + 1)"
            ".map((node) => `${node.tagName}.${node.className}`)"
        )


@dataclass
class House:
    """A gateway whose only providers are the demo's, and a browser before its admin page."""

    household: Household
    gateway: RunningGateway
    visitor: Visitor

    @property
    def browser(self) -> Browser:
        return self.visitor.browser


@asynccontextmanager
async def opened(chromium: Browser, home: Path, *, delay_s: float = 0.0) -> AsyncIterator[House]:
    """The account `ada` is signed in at iFlow; nobody is signed in at the page. The console has to stay empty."""
    async with household(home, delay_s=delay_s, rules=Rules(poll_interval_s=1)) as people:
        await people.iflow("ada")
        async with people.gateway("iflow", "qwen") as gateway:
            steer(gateway, people.toml("iflow", "qwen"), {})
            await chromium.begin()
            await chromium.look(1280, "light")
            yield House(people, gateway, Visitor(chromium, gateway))
            assert await chromium.complaints() == []
            await chromium.open("about:blank")


def _button(name: str, place: str) -> str:
    """An expression of the page: the button, or undefined."""
    named = f"[one.ariaLabel, one.textContent].some((said) => said?.trim() === {_text(name)})"
    all_of_them = f"document.querySelectorAll({_text(f'{place} :is(button, a, summary)')})"
    usable = "one.checkVisibility() && !one.disabled && !one.ariaBusy"
    return f"[...{all_of_them}].filter((one) => {usable}).find((one) => {named})"


def _is_read(text: str, place: str) -> str:
    reads = f"one.checkVisibility() && one.innerText.includes({_text(text)})"
    return f"[...document.querySelectorAll({_text(place)})].some((one) => {reads})"


def _text(text: str) -> str:
    return jsonx.encode(text).decode()
