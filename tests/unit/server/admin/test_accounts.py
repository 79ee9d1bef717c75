from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.pool.saved import AccountState, AuthType
from tests.support.admin import Browser, admin_page
from tests.support.saved_accounts import saved_account
from tests.support.wiring import keep, on_disk, qwen_account

KEY = "sk-canary-0123456789abcdef"
TOML = '[providers.up]\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "sk-variable-0123456789"\n'


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with admin_page(TOML, {"IFLOW_HOME": str(tmp_path / ".iflow")}, home=tmp_path) as browser:
        yield browser


async def add(browser: Browser, **fields: str) -> str:
    reply = await browser.post("/admin/accounts", {"provider": "deepseek", "api_key": KEY, **fields})
    assert reply.status == 200, reply.body
    id: str = reply.json["account"]["id"]
    return id


async def test_a_key_becomes_an_account_at_once(browser: Browser, tmp_path: Path) -> None:
    reply = await browser.post(
        "/admin/accounts", {"provider": "DeepSeek", "api_key": f" Bearer {KEY}\n", "label": "work"}
    )
    row = reply.json["account"]

    assert (row["provider"], row["label"], row["state"], row["origin"]) == ("deepseek", "work", "ok", "ours")
    assert (row["auth_type"], row["can_refresh"], row["in_use"]) == ("api_key", False, True)
    assert row["credential"] == "sk-…cdef"
    assert row["today"] == {"requests": 0, "errors": 0, "tokens": 0, "cost": {}}
    assert on_disk(tmp_path, row["id"]).bearer.reveal() == KEY
    assert row in (await browser.get("/admin/accounts")).json["accounts"]
    assert KEY.encode() not in b"".join(browser.seen)


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"provider": "depseek"}, 404, "provider"),
        ({"api_key": ""}, 400, "api_key"),
        ({"api_key": "with blanks in it"}, 400, "api_key"),
        ({"label": "../x"}, 400, "label"),
        ({"label": "CON"}, 400, "label"),
        ({"base_url": "ftp://example.com"}, 400, "base_url"),
        ({"base_url": "http://me:secret@example.com"}, 400, "base_url"),
        ({"api_key": 5}, 400, "api_key"),
    ],
)
async def test_what_cannot_be_an_account_is_refused(
    browser: Browser, fields: dict[str, object], status: int, param: str
) -> None:
    reply = await browser.post("/admin/accounts", {"provider": "deepseek", "api_key": KEY, **fields})

    assert (reply.status, reply.json["error"]["param"]) == (status, param)
    assert "did you mean" in reply.json["error"]["hint"] or status == 400


async def test_it_is_switched_off_and_on_reset_and_deleted(browser: Browser, tmp_path: Path) -> None:
    id = await add(browser)
    off = (await browser.post(f"/admin/accounts/{id}/disable", {})).json["account"]
    assert (off["state"], off["in_use"], on_disk(tmp_path, id).state) == ("disabled", False, AccountState.DISABLED)
    on = (await browser.post(f"/admin/accounts/{id}/enable", {})).json["account"]
    assert (on["state"], on["in_use"]) == ("ok", True)
    assert (await browser.post(f"/admin/accounts/{id}/reset", {})).json["account"]["state"] == "ok"
    nothing = await browser.post(f"/admin/accounts/{id}/refresh", {})
    assert (nothing.status, nothing.kind) == (409, "nothing_to_refresh")

    assert (await browser.send("DELETE", f"/admin/accounts/{id}")).json == {"deleted": True}
    assert (await browser.send("DELETE", f"/admin/accounts/{id}")).status == 404
    assert id not in [row["id"] for row in (await browser.get("/admin/accounts")).json["accounts"]]


async def test_what_is_kept_elsewhere_stays_there(browser: Browser) -> None:
    (row,) = [row for row in (await browser.get("/admin/accounts")).json["accounts"] if row["provider"] == "up"]
    assert row["origin"] == "variable"

    for reply in (
        await browser.send("DELETE", f"/admin/accounts/{row['id']}"),
        await browser.post(f"/admin/accounts/{row['id']}/disable", {}),
    ):
        assert (reply.status, reply.kind) == (409, "not_ours")
        assert "configuration" in reply.json["error"]["hint"]


@pytest.mark.parametrize("id", ["nobody", "..%2fx", "%00", "x" * 300])
async def test_i39_nobody_of_that_name(browser: Browser, id: str) -> None:
    for method, path in (("DELETE", ""), ("POST", "/enable"), ("POST", "/reset")):
        assert (await browser.send(method, f"/admin/accounts/{id}{path}")).status in (400, 404)


async def test_a_rest_is_cleared_by_hand(tmp_path: Path) -> None:
    resting = saved_account(
        "ada", provider="deepseek", auth_type=AuthType.API_KEY, state=AccountState.COOLING, rests_until=4e9
    )
    keep(tmp_path, replace(resting, id="ada"))
    async with admin_page(home=tmp_path) as browser:
        (row,) = (await browser.get("/admin/accounts")).json["accounts"]
        assert row["state"] == "cooling"
        assert (await browser.post("/admin/accounts/ada/reset", {})).json["account"]["state"] == "ok"


async def test_where_ids_are_keys_the_page_has_other_names_for_them(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account("0f0f0f0f-1111-4222-8333-444444444444"))
    async with admin_page("[auth]\naccept_account_ids = true", home=tmp_path) as browser:
        (row,) = (await browser.get("/admin/accounts")).json["accounts"]

        assert "0f0f0f0f" not in str(row["id"])
        assert (await browser.post(f"/admin/accounts/{row['id']}/disable", {})).json["account"]["state"] == "disabled"
        assert b"0f0f0f0f-1111" not in b"".join(one.split(b'"label"')[0] for one in browser.seen)


async def test_providers_say_how_one_signs_in_there(browser: Browser) -> None:
    told = {one["name"]: one for one in (await browser.get("/admin/providers")).json["providers"]}

    assert set(told["iflow"]["methods"]) == {"browser", "paste", "api_key"}
    assert told["iflow"]["notice"]
    assert "device" in told["qwen"]["methods"]
    assert told["deepseek"] == {
        "name": "deepseek", "title": "DeepSeek", "base_url": "https://api.deepseek.com/v1", "enabled": True,
        "is_written": False, "methods": ["api_key"], "notice": "", "key_page": told["deepseek"]["key_page"],
    }  # fmt: skip
    assert (told["up"]["is_written"], told["up"]["base_url"]) == (True, "http://127.0.0.1:9/v1")
