from __future__ import annotations

import logging

import pytest

from iflow_cli_proxy.telemetry.formats import FIELDS
from tests.support.admin import PASSWORD, admin_page, another, lines_of_the_page


async def test_a_session_tells_the_page_what_it_needs() -> None:
    async with admin_page(is_signed_in=False) as browser:
        first = (await browser.get("/admin/session")).json
        assert first | {"version": ""} == {
            "setup_needed": True, "signed_in": False, "csrf": None, "version": "", "expires_in_s": None,
        }  # fmt: skip
        begun = (await browser.set_up()).json
        assert begun["signed_in"]
        assert not begun["setup_needed"]
        assert len(begun["csrf"]) == 64
        assert 1700 < begun["expires_in_s"] <= 1800
        assert (await browser.get("/admin/session")).json["csrf"] == begun["csrf"]
        stranger = (await another(browser).get("/admin/session")).json
        assert (stranger["setup_needed"], stranger["csrf"]) == (False, None)


async def test_login_before_the_first_run_says_what_to_do() -> None:
    async with admin_page(is_signed_in=False) as browser:
        reply = await browser.log_in()

        assert (reply.status, reply.kind) == (409, "setup_needed")
        assert "iflow2api admin password" in reply.json["error"]["hint"]


async def test_a_weak_new_password_changes_nothing() -> None:
    async with admin_page() as browser:
        reply = await browser.post("/admin/password", {"current": PASSWORD, "new": "short"})

        assert (reply.status, reply.json["error"]["param"]) == (400, "new")
        assert (await browser.get("/admin/session")).json["signed_in"]


async def test_signing_out_takes_the_cookie_back() -> None:
    async with admin_page() as browser:
        reply = await browser.post("/admin/logout", {})

        assert reply.json == {"signed_out": True}
        assert "max-age=0" in reply.headers["set-cookie"].lower()


async def test_a_wrong_password_leaves_a_line_that_does_not_hold_it(caplog: pytest.LogCaptureFixture) -> None:
    async with admin_page() as browser:
        caplog.clear()
        with caplog.at_level(logging.INFO, "iflow2api.admin"):
            await another(browser).log_in("canary wrong password")

    (record,) = lines_of_the_page(caplog)
    assert record.getMessage() == "admin: a wrong password was given"
    assert getattr(record, FIELDS)["from"] == "127.0.0.1"
    assert "canary" not in str(vars(record))
