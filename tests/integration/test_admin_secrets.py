"""I45: canaries of every kind go through the admin page, and none comes out: not in an answer, a frame or the log."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType
from iflow_cli_proxy.server.admin.routes import CALLS
from tests.support.admin import PASSWORD, Browser, admin_page, another
from tests.support.admin_socket import TEXT, frame, open_socket
from tests.support.front_door import GOOD_ANSWER
from tests.support.gateway import chat_body, upstream_table
from tests.support.raw_upstream import RawUpstream
from tests.support.saved_accounts import saved_account
from tests.support.wiring import keep, qwen_account

CANARY = "canary-0123456789abcdef"
CLIENT_KEY = f"sk-client-{CANARY}"
UPSTREAM_KEY = f"sk-upstream-{CANARY}"
HEADER = f"header-{CANARY}"
ADDED_KEY = f"sk-added-{CANARY}"
OTHER_PASSWORD = f"another {CANARY}"
WORDS = (
    CLIENT_KEY,
    UPSTREAM_KEY,
    HEADER,
    ADDED_KEY,
    OTHER_PASSWORD,
    PASSWORD,
    "at-of-ada",
    "rt-of-ada",
    "sk-key-of-bob",
)
MORE = f"""
api_key = "{UPSTREAM_KEY}"
headers = {{ "x-team" = "{HEADER}" }}
[auth]
client_keys = ["{CLIENT_KEY}"]
"""


async def everything(browser: Browser) -> None:
    """Every call there is, with something to look for in it."""
    await browser.post("/admin/accounts", {"provider": "deepseek", "api_key": ADDED_KEY, "label": "added"})
    await browser.post("/admin/accounts", {"provider": "nobody", "api_key": ADDED_KEY})
    await browser.post("/admin/accounts", {"provider": "deepseek", "api_key": f"{ADDED_KEY} with blanks"})
    await browser.post("/admin/playground", chat_body())
    await browser.send("PATCH", "/admin/settings", {"changes": {"providers.up.api_key": UPSTREAM_KEY}})
    await browser.send("PATCH", "/admin/settings", {"changes": {"providers.up.api_key": [UPSTREAM_KEY]}})
    await browser.send("PATCH", "/admin/settings", {"changes": {"upstream.proxy": f"http://me:{CANARY}@:0"}})
    await another(browser).log_in(OTHER_PASSWORD)
    await browser.post("/admin/password", {"current": OTHER_PASSWORD, "new": OTHER_PASSWORD})
    for method, path, _, _ in CALLS:
        place = "/admin" + path.replace("{id}", "ada").replace("{name}", "x").replace("{flow}", "x")
        if method == "GET" and "{" not in place and place != "/admin/ws":
            await browser.get(place)
    for path in ("refresh", "reset", "disable", "enable"):
        await browser.post(f"/admin/accounts/ada/{path}", {})


async def test_i45_no_secret_comes_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep(tmp_path, qwen_account("ada"))
    keep(tmp_path, saved_account("bob", provider="iflow", auth_type=AuthType.API_KEY, tokens=None))
    caplog.set_level(logging.DEBUG)
    async with RawUpstream([GOOD_ANSWER]) as upstream:
        toml = upstream_table(f"{upstream.url}/v1", more=MORE)
        async with admin_page(toml, home=tmp_path) as browser:
            token = browser.gateway.server.desk.setup_token.reveal()
            socket = await open_socket(browser)
            await socket.send(frame(TEXT, b'{"subscribe": ["logs"]}'))
            await everything(browser)
            made = (await browser.post("/admin/keys", {"name": "alice"})).json["secret"]
            await browser.get("/admin/keys")
            frames = jsonx.encode([await asyncio.wait_for(socket.document(), 5) for _ in range(2)])
            socket.close()
            known = (*WORDS, browser.cookie, made)
            answers = [*browser.seen, frames]

    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    logged = "\n".join(line for line in logged.splitlines() if "tests.support" not in line)
    for word in (*known, browser.csrf):
        assert word not in logged, word
    assert not token
    shown = b"\n".join(answer for answer in answers if b"set-cookie" not in answer.lower())
    for word in known:
        expected = 1 if word == made else 0
        assert shown.count(word.encode()) == expected, word
    assert Secret(UPSTREAM_KEY).reveal() not in repr(browser.gateway.server.desk.sessions)
