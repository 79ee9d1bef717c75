from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from iflow_cli_proxy import __version__
from iflow_cli_proxy.config.schema import AuthSettings
from iflow_cli_proxy.core.errors import StateError
from tests.support.gateway import chat_body, post_chat
from tests.support.people import household
from tests.support.shell import shell, shell_state


async def test_health_says_the_version_and_nothing_of_accounts() -> None:
    async with shell(shell_state(accounts=0)) as client, client.get("/health") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "ok", "version": __version__}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_who_looks_at_the_root_first_is_greeted_without_a_key(method: str) -> None:
    auth = AuthSettings(required="always")
    async with shell(shell_state(auth=auth)) as client, client.request(method, "/") as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        assert await answer.text() == ("iflow2api: running" if method == "GET" else "")


async def test_ready_counts_the_accounts() -> None:
    async with shell(shell_state(accounts=2)) as client, client.get("/ready") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "ready", "accounts": 2}


async def test_without_an_account_it_is_not_ready_and_says_what_to_do() -> None:
    async with shell(shell_state(accounts=0)) as client, client.get("/ready") as answer:
        assert answer.status == 503
        assert "iflow2api" in (await answer.json())["reason"]


async def test_while_draining_it_is_alive_but_not_ready() -> None:
    state = shell_state()
    state.is_draining = True
    async with shell(state) as client:
        assert (await client.get("/ready")).status == 503
        assert (await client.get("/health")).status == 200


async def test_f51_a_credential_that_could_not_be_saved_is_told_while_requests_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise StateError("No space is left on the disk.")

    async with household(tmp_path) as house:
        await house.qwen()
        async with house.gateway("qwen") as gateway, aiohttp.ClientSession() as session:
            house.demo.app.oauth.qwen.tokens.end_access()
            monkeypatch.setattr("iflow_cli_proxy.state.accounts.write_private", refuse)
            for _ in range(2):
                gateway.services.settings.replace(gateway.services.settings.current)
                status, _, _ = await post_chat(gateway, chat_body(model="coder-model"))
                assert status == 200
            async with session.get(f"{gateway.url}/ready") as answer:
                told = await answer.json()
            assert (answer.status, told["status"]) == (200, "ready")
            assert "could not be saved" in told["degraded"]
    assert house.calls["refresh"] == 1
