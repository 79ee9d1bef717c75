"""What a person's browser does at the demo: decide about a program that waits, and be sent back to one that listens.

Knows that nobody is sent anywhere but to a port of this machine. Refuses to know which vendor is played.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from iflow_cli_proxy.demo import pages
from iflow_cli_proxy.demo.desk import Desk, read_form
from iflow_cli_proxy.demo.grants import Devices
from iflow_cli_proxy.demo.mishaps import REDIRECTS

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_UNKNOWN: Final = "This code is not known, is too old, or was used."


def is_loopback(redirect: str) -> bool:
    """RELIABILITY I53."""
    where = urlsplit(redirect)
    return where.scheme == "http" and where.hostname in _LOOPBACK and "@" not in where.netloc


def send_back(desk: Desk, place: str, query: Mapping[str, str]) -> web.Response:
    """To `place`, with `query` as it is or as a fault bends it."""
    bend = REDIRECTS.get(desk.faults.take("authorize"))
    bent = bend(dict(query)) if bend else query
    return web.Response(status=302, headers={"Location": f"{place}{'&' if '?' in place else '?'}{urlencode(bent)}"})


class DevicePage:
    """Where a person types the code, if it is not in the address already, and decides."""

    def __init__(self, desk: Desk, devices: Devices, path: str, title: str) -> None:
        self._desk = desk
        self._devices = devices
        self._path = path
        self._title = title

    def routes(self) -> Iterator[web.RouteDef]:
        yield web.get(self._path, self._show)
        yield web.post(self._path, self._decide)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        user_code = request.query.get("user_code", "")
        if not user_code:
            return pages.ask_code(self._title, self._path)
        if self._devices.waiting(user_code) is None:
            return pages.message(self._title, _UNKNOWN, status=404)
        self._desk.calls["authorize"] += 1
        return pages.choice(self._title, self._path, {"user_code": user_code})

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        form = await read_form(request) or {}
        device = self._devices.waiting(form.get("user_code", ""))
        if device is None:
            return pages.message(self._title, _UNKNOWN, status=404)
        if form.get("decision") != "approve":
            device.is_refused = True
            return pages.message("Refused", "Your program will not get in.")
        try:
            device.person = self._desk.sign_for(form.get("account", ""))
        except ValueError as error:
            return pages.message(self._title, f"{error}.", status=400)
        return pages.message("Signed in", "Go back to your program.")
