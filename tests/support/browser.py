"""A real Chromium without a window, driven over the W3C WebDriver protocol through `chromedriver`.

Knows processes, the protocol, and how a browser is kept on this machine: every name and address but loopback leads
nowhere, its profile is thrown away, and nothing of it runs on afterwards. Refuses to know what is on the pages.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from iflow_cli_proxy.core import jsonx

_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_DRIVER: Final = "chromedriver"
_PORT: Final = re.compile(r"started successfully on port (\d+)")
_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's reference, in every answer that holds one (WebDriver, section 12.1)."""
_ANSWERS_WITHIN_S: Final = 30.0
_APPEARS_WITHIN_S: Final = 10.0
_LOOKS_EVERY_S: Final = 0.02
TAB: Final = "\ue004"
ENTER: Final = "\ue007"
ESCAPE: Final = "\ue00c"
_ALONE: Final = (
    "--headless=new",
    "--no-first-run",
    "--disable-dev-shm-usage",  # in a container it may be too small for one page
    # Loopback is never asked of a proxy, everything else always: of one that is not there.
    "--proxy-server=http://127.0.0.1:9",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--no-pings",
)


class BrowserError(Exception):
    """The browser could not do it; the text is the driver's own."""


def missing() -> str:
    """Why there is no browser here; "" when there is one."""
    if not sys.platform.startswith("linux"):
        return "the browser of these tests is that of a Linux machine"
    if not shutil.which(_DRIVER) or not any(map(shutil.which, _BROWSERS)):
        return "no chromium with chromedriver here: apt-get install chromium chromium-driver"
    return ""


class Browser:
    """One browser and the tab in front. `open` waits for the page; after a click, `see` waits for the next one."""

    def __init__(self, port: int, profile: Path) -> None:
        self._port = port
        arguments = [*_ALONE, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        options = {"args": arguments}  # the driver finds the browser that it was made for
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "SEVERE"},
            "timeouts": {"implicit": int(1000 * _APPEARS_WITHIN_S)},
        }
        self._session = ""
        session = self._call("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/{session['sessionId']}"

    def quit(self) -> None:
        self._call("DELETE", "")

    async def begin(self) -> None:
        """One empty tab, without anything that the pages before have left."""
        tab = await self.open_tab()
        for other in await self._do("GET", "/window/handles"):
            if other != tab:
                await self.show_tab(other)
                await self._do("DELETE", "/window")
        await self.show_tab(tab)
        await self._chrome("Network.clearBrowserCookies")

    async def open(self, url: str) -> None:
        await self._do("POST", "/url", {"url": url})

    async def click(self, selector: str) -> None:
        await self._do("POST", f"/element/{await self._find(selector)}/click", {})

    async def write(self, selector: str, text: str) -> None:
        """Type it in place of what stands there."""
        element = await self._find(selector)
        await self._do("POST", f"/element/{element}/clear", {})
        await self._do("POST", f"/element/{element}/value", {"text": text})

    async def text(self, selector: str = "body") -> str:
        """What a person reads there."""
        text: str = await self._do("GET", f"/element/{await self._find(selector)}/text")
        return text

    async def see(self, text: str, selector: str) -> None:
        """Wait until exactly this is read there."""
        seen = None
        ends_at = time.monotonic() + _APPEARS_WITHIN_S
        while seen != text:
            if time.monotonic() > ends_at:
                raise AssertionError(f"{text!r} never came; at {selector} stands {seen!r}, at {await self.address()}")
            seen = await self.script(f"return document.querySelector({jsonx.encode(selector).decode()})?.innerText")

    async def until(self, truth: str, why: str = "") -> Any:
        """Wait until this expression of the page (it may `await`) is true; its value. `why` explains a failure."""
        ends_at = time.monotonic() + _APPEARS_WITHIN_S
        while not (value := await self.script(f"return (async () => {truth})()")):
            if time.monotonic() > ends_at:
                stands = await self.script("return document.body.innerText")
                raise AssertionError(f"never true: {why or truth}; at {await self.address()} stands:\n{stands}")
            await asyncio.sleep(_LOOKS_EVERY_S)
        return value

    async def press(self, *keys: str) -> None:
        """Keys one after the other, wherever the focus is; the names are those of this module, such as TAB."""
        moves = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        await self._do("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": moves}]})

    async def complaints(self) -> list[str]:
        """What the console has said as an error since it was last asked; answers with bad statuses are none."""
        said = await self._do("POST", "/se/log", {"type": "browser"})
        texts = [str(one["message"]) for one in said if one["level"] == "SEVERE"]
        return [text for text in texts if "Failed to load resource" not in text]

    async def picture(self, path: Path) -> None:
        """The whole page as PNG, for eyes."""
        height = await self.script("return document.documentElement.scrollHeight")
        width = await self.script("return innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = await self._chrome("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        path.write_bytes(b64decode(shot["data"]))

    async def address(self) -> str:
        """What stands in the address bar."""
        url: str = await self._do("GET", "/url")
        return url

    async def status(self) -> int:
        """The HTTP status of the page."""
        status: int = await self.script("return performance.getEntriesByType('navigation')[0].responseStatus")
        return status

    async def script(self, body: str) -> Any:
        """What a function with this body returns, run as if the page had it."""
        return await self._do("POST", "/execute/sync", {"script": body, "args": []})

    async def open_tab(self) -> str:
        """A new one; the tab in front stays there."""
        tab: str = (await self._do("POST", "/window/new", {"type": "tab"}))["handle"]
        return tab

    async def tab(self) -> str:
        """The one in front."""
        tab: str = await self._do("GET", "/window")
        return tab

    async def show_tab(self, tab: str) -> None:
        await self._do("POST", "/window", {"handle": tab})

    async def look(self, width: int, scheme: str) -> None:
        """Be so many CSS pixels wide, for a person who likes it "light" or "dark"."""
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        await self._chrome("Emulation.setDeviceMetricsOverride", size)
        liked = [{"name": "prefers-color-scheme", "value": scheme}]
        await self._chrome("Emulation.setEmulatedMedia", {"features": liked})

    # --- protocol ---

    async def _find(self, selector: str) -> str:
        found = await self._do("POST", "/element", {"using": "css selector", "value": selector})
        element: str = found[_ELEMENT]
        return element

    async def _chrome(self, command: str, params: Mapping[str, Any] | None = None) -> Any:
        return await self._do("POST", "/goog/cdp/execute", {"cmd": command, "params": params or {}})

    async def _do(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """In a thread: the servers that the browser talks to may live in this loop."""
        return await asyncio.to_thread(self._call, method, path, body)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=_ANSWERS_WITHIN_S)
        try:
            sent = None if body is None else jsonx.encode(body)
            connection.request(method, f"/session{self._session}{path}", sent, {"Content-Type": "application/json"})
            answer: Any = jsonx.decode(connection.getresponse().read())
        finally:
            connection.close()
        value = answer["value"]
        if isinstance(value, dict) and "error" in value:
            raise BrowserError(f"{value['error']}: {value['message']}")
        return value


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser for the block; however that ends, so do all processes of it, and its files are gone."""
    with TemporaryDirectory(prefix="browser", ignore_cleanup_errors=True) as folder, _driver(Path(folder)) as port:
        made = Browser(port, Path(folder, "profile"))
        yield made
        made.quit()


@contextmanager
def _driver(room: Path) -> Iterator[int]:
    """A driver on a free port of loopback, which gives the port away itself."""
    log = room / "driver.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [_DRIVER, "--port=0"],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(room), "TMPDIR": str(room)},
            cwd=room,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _port(process, log)
    finally:
        # The browser is in the driver's process group. The driver is waited for after that, so that the number of the
        # group cannot have become somebody else's.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    for _ in range(int(_ANSWERS_WITHIN_S / 0.02)):
        said = log.read_text(errors="replace")
        if found := _PORT.search(said):
            return int(found[1])
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        break
    raise BrowserError(f"{_DRIVER} did not come up:\n{log.read_text(errors='replace')}")
