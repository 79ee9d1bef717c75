"""Somebody at the admin page: a browser as far as headers and cookies go, over real sockets."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from iflow_cli_proxy.config.live import ReloadWatch
from iflow_cli_proxy.config.load import Sources
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.server.admin.settings import Steering
from iflow_cli_proxy.state.paths import find_paths
from tests.support.gateway import RunningGateway, running_gateway

PASSWORD: Final = "correct horse battery"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return jsonx.decode(self.body)

    @property
    def type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def kind(self) -> str:
        """Of an error."""
        word: str = self.json["error"]["kind"]
        return word


@dataclass
class Browser:
    """Keeps one cookie and one token, and sends what a page of the gateway's own origin would send."""

    gateway: RunningGateway
    http: aiohttp.ClientSession
    cookie: str = ""
    csrf: str = ""
    seen: list[bytes] = field(default_factory=list)
    """Every answer, head and body: for looking whether a secret is in one."""

    @property
    def origin(self) -> str:
        return self.gateway.url

    @property
    def cookie_name(self) -> str:
        return f"iflow2api_admin_{self.gateway.port}"

    async def send(self, method: str, path: str, body: object = None, **headers: str | None) -> Reply:
        """Headers by name with `_` for `-`; None leaves one out that would be sent."""
        usual: dict[str, str | None] = {"Cookie": f"{self.cookie_name}={self.cookie}" if self.cookie else None}
        if method not in ("GET", "HEAD"):
            usual |= {"Origin": self.origin, "Content-Type": "application/json", "x-csrf-token": self.csrf or None}
        usual |= {name.replace("_", "-"): value for name, value in headers.items()}
        given = {name: value for name, value in usual.items() if value is not None}
        data = body if isinstance(body, bytes) else None if method in ("GET", "HEAD") else jsonx.encode(body or {})
        async with self.http.request(
            method, f"{self.gateway.url}{path}", data=data, headers=given, allow_redirects=False,
            skip_auto_headers=("Content-Type", "User-Agent"),
        ) as response:  # fmt: skip
            found = Reply(response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read())
            if self.cookie_name in response.cookies:
                self.cookie = response.cookies[self.cookie_name].value
            self.seen.append(str(response.raw_headers).encode() + found.body)
            return found

    async def get(self, path: str, **headers: str | None) -> Reply:
        return await self.send("GET", path, **headers)

    async def post(self, path: str, body: object = None, **headers: str | None) -> Reply:
        return await self.send("POST", path, body, **headers)

    async def set_up(self, password: str = PASSWORD) -> Reply:
        """The first run, with the token that a screen would show."""
        token = self.gateway.server.desk.setup_token.reveal()
        return self._in(await self.post("/admin/setup", {"token": token, "password": password}))

    async def log_in(self, password: str = PASSWORD) -> Reply:
        return self._in(await self.post("/admin/login", {"password": password}))

    def _in(self, reply: Reply) -> Reply:
        if reply.status == 200:
            self.csrf = reply.json["csrf"]
        return reply


@asynccontextmanager
async def admin_page(
    toml: str = "", environ: Mapping[str, str] | None = None, *, home: Path | None = None, is_signed_in: bool = True
) -> AsyncIterator[Browser]:
    """A running gateway, and a browser that has done the first run."""
    async with (
        running_gateway(toml, environ, home=home) as gateway,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        steer(gateway, toml, environ or {})
        browser = Browser(gateway, http)
        if is_signed_in:
            assert (await browser.set_up()).status == 200
        yield browser


def steer(gateway: RunningGateway, toml: str, environ: Mapping[str, str]) -> None:
    """Let settings be changed as under `serve`; the flags are those that `running_gateway` serves with."""
    paths = find_paths({"IFLOW2API_HOME": str(gateway.services.admin_file.parent)})
    paths.config_file.write_text(toml)
    flags = {"server.port": 0, "server.host": "127.0.0.1"}
    sources = Sources(config_file=paths.config_file, overrides_file=paths.overrides_file, environ=environ, flags=flags)
    watch = ReloadWatch(
        gateway.services.settings,
        (paths.config_file, paths.overrides_file),
        lambda: sources.load()[0],
        report=lambda reload: None,
    )
    gateway.server.desk.steering = Steering(
        sources=sources, paths=paths, adapt=lambda settings: settings, reload=watch.reload
    )


def another(browser: Browser) -> Browser:
    """A second device, which is not signed in."""
    return Browser(browser.gateway, browser.http)


def lines_of_the_page(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """What the page itself logged; whether the access log is caught too depends on the tests before."""
    return [record for record in caplog.records if record.name == "iflow2api.admin"]
