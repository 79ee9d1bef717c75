from __future__ import annotations

import re

from iflow_cli_proxy.server.admin.guard import Needs
from iflow_cli_proxy.server.admin.routes import CALLS
from tests.support.admin import admin_page, another

OPEN = {
    ("GET", ""), ("GET", "/"), ("GET", "/static/{path:.+}"), ("GET", "/session"), ("POST", "/setup"),
    ("POST", "/login"), ("GET", "/oauth/callback"), ("GET", "/lang/{language:[a-z]+}.json"),
}  # fmt: skip
"""What needs nobody to be signed in. A call that is added is not open by mistake."""
LED_AWAY = {("GET", "/docs")}
"""Opened by hand: whoever is not signed in is led to where that is done."""


def test_all_but_these_need_somebody_who_is_signed_in() -> None:
    assert {
        (method, path) for method, path, needs, _ in CALLS if needs in (Needs.NOTHING, Needs.ORIGIN)
    } <= OPEN | LED_AWAY
    assert all(needs is not Needs.NOTHING for method, _, needs, _ in CALLS if method != "GET")


async def test_nobody_signed_in_gets_401_from_each() -> None:
    async with admin_page() as browser:
        stranger = another(browser)
        for method, path, needs, _ in CALLS:
            if needs in (Needs.SESSION, Needs.SOCKET):
                place = "/admin" + re.sub(r"\{\w+\}", "x", path)
                headers = {"Origin": browser.origin}
                assert (await stranger.send(method, place, **headers)).status == 401, (method, path)


async def test_what_is_not_there_is_told_in_the_shape_of_the_page() -> None:
    async with admin_page() as browser:
        for reply in (await browser.get("/admin/nothing"), await browser.send("DELETE", "/admin/login")):
            assert (reply.status, reply.kind) == (404, "not_found")
