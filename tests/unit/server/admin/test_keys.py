from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from iflow_cli_proxy.state.keys import KeyFile
from tests.support.admin import Browser, admin_page, another

CONFIGURED = "sk-configured-0123456789"
TOML = f'[auth]\nrequired = "always"\nclient_keys = ["{CONFIGURED}"]\n[pools.fast]\naccounts = ["up/*"]\n'


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with admin_page(TOML, home=tmp_path) as browser:
        yield browser


async def opens(browser: Browser, secret: str) -> bool:
    return (await another(browser).get("/v1/models", Authorization=f"Bearer {secret}")).status == 200


async def test_a_key_is_made_used_and_revoked(browser: Browser, tmp_path: Path) -> None:
    made = (await browser.post("/admin/keys", {"name": "alice", "rpm": 10, "budget": "5usd", "expires": "30d"})).json
    row, secret = made["key"], made["secret"]

    assert secret.startswith("sk-i2a-")
    assert (row["name"], row["state"], row["rpm"], row["tpm"]) == ("alice", "ok", 10, None)
    assert row["budget"] == {"amount": 5.0, "unit": "usd", "per": "month"}
    assert row["used"]["today"] == {"requests": 0, "errors": 0, "tokens": 0, "cost": {}}
    assert await opens(browser, secret)
    assert secret not in (tmp_path / "keys.toml").read_text()
    assert sum(secret.encode() in seen for seen in browser.seen) == 1

    assert (await browser.send("DELETE", "/admin/keys/alice")).json == {"revoked": True}
    assert not await opens(browser, secret)
    states = {one["name"]: one["state"] for one in (await browser.get("/admin/keys")).json["keys"]}
    assert states == {"alice": "revoked", "key 1": "ok"}


async def test_another_secret_lets_the_old_one_go_on_if_it_shall(browser: Browser) -> None:
    first = (await browser.post("/admin/keys", {"name": "alice"})).json["secret"]
    second = (await browser.post("/admin/keys/alice/rotate", {"grace_s": 3600})).json["secret"]
    assert [await opens(browser, secret) for secret in (first, second)] == [True, True]
    third = (await browser.post("/admin/keys/alice/rotate", {})).json["secret"]
    assert [await opens(browser, secret) for secret in (first, second, third)] == [False, False, True]

    await browser.send("DELETE", "/admin/keys/alice")
    revoked = await browser.post("/admin/keys/alice/rotate", {})
    assert (revoked.status, revoked.kind) == (409, "revoked")


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({}, 400, "name"),
        ({"name": "../x"}, 400, "name"),
        ({"name": "Alice"}, 400, "name"),
        ({"name": 'a"\n[admin]'}, 400, "name"),
        ({"name": "a", "rpm": -1}, 400, "rpm"),
        ({"name": "a", "tpm": 10**30}, 400, "tpm"),
        ({"name": "a", "rpm": "many"}, 400, "rpm"),
        ({"name": "a", "budget": "lots"}, 400, "budget"),
        ({"name": "a", "per": "day"}, 400, "budget"),
        ({"name": "a", "expires": "yesterday"}, 400, "expires"),
        ({"name": "a", "pool": "nowhere"}, 400, "pool"),
        ({"name": "a", "models": [""]}, 400, "models"),
        ({"name": "a", "note": "two\nlines"}, 400, "note"),
        ({"name": "a", "colour": "red"}, 400, "colour"),
        ({"name": "taken"}, 409, "name"),
    ],
)
async def test_i40_what_makes_no_sense_is_refused(
    browser: Browser, fields: dict[str, object], status: int, param: str, tmp_path: Path
) -> None:
    await browser.post("/admin/keys", {"name": "taken"})
    reply = await browser.post("/admin/keys", fields)

    assert (reply.status, reply.json["error"]["param"]) == (status, param)
    assert [key.name for key in KeyFile(tmp_path / "keys.toml").load().keys] == ["taken"]


async def test_keys_of_the_configuration_are_shown_masked_and_stay(browser: Browser) -> None:
    (row,) = (await browser.get("/admin/keys")).json["keys"]

    assert (row["origin"], row["masked"]) == ("auth.client_keys", "sk-…6789")
    for reply in (
        await browser.send("DELETE", "/admin/keys/key%201"),
        await browser.post("/admin/keys/key%201/rotate", {}),
    ):
        assert (reply.status, reply.kind) == (409, "not_ours")
    assert (await browser.send("DELETE", "/admin/keys/nobody")).status == 404
    assert (await browser.post("/admin/keys/nobody/rotate", {"grace_s": -1})).status == 400
    assert CONFIGURED.encode() not in b"".join(browser.seen)


async def test_a_pool_and_lists_are_kept(browser: Browser) -> None:
    wish = {"name": "a", "pool": "fast", "models": ["glm-*", "qwen3-*"], "accounts": ["up/*"], "budget": 1000}
    row = (await browser.post("/admin/keys", {**wish, "per": "day", "note": "for ci", "tpm": None})).json["key"]

    assert (row["pool"], row["models"], row["accounts"]) == ("fast", ["glm-*", "qwen3-*"], ["up/*"])
    assert row["budget"] == {"amount": 1000.0, "unit": "tokens", "per": "day"}
