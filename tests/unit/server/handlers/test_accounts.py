"""How accounts fare, told without secrets, and a fresh start for one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CredentialError, Failing, QuotaExhausted
from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import Lease
from iflow_cli_proxy.pool.saved import AccountState, AuthType
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.state.keys import KeyFile
from iflow_cli_proxy.state.paths import find_paths
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.wiring import keep, on_disk, qwen_account, store

SECRET = "sk-0123456789abcdef4f2a"
ID = "5f0c1c9e-6a6e-4a3b-9d57-0f6d5b1c2a3d"


@asynccontextmanager
async def door(home: Path, toml: str = "", **changes: Any) -> AsyncIterator[RunningGateway]:
    keep(
        home, qwen_account(ID, **{"auth_type": AuthType.API_KEY, "api_key": Secret(SECRET), "tokens": None, **changes})
    )
    async with running_gateway("[providers.qwen]\nrpm = 60\n" + toml, home=home) as gateway:
        yield gateway


async def call(gateway: RunningGateway, method: str, path: str, key: str = "", **headers: str) -> tuple[int, Any]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        sent["Authorization"] = f"Bearer {key}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{gateway.url}{path}", headers=sent) as answer,
    ):
        return answer.status, jsonx.decode(await answer.read())


async def row(gateway: RunningGateway, **options: str) -> dict[str, Any]:
    status, body = await call(gateway, "GET", "/debug/accounts", **options)
    assert status == 200
    assert SECRET not in str(body)
    [found] = body["accounts"]
    return dict(found)


def fails(gateway: RunningGateway, error: Exception, model: str = "glm-5") -> None:
    lease = gateway.services.pool.take(Wish(provider="qwen", model=model), gateway.services.clock.monotonic())
    assert isinstance(lease, Lease)
    gateway.services.turnstile.leave(lease, Outcome(error=error))  # type: ignore[arg-type]


async def reset(gateway: RunningGateway, **options: str) -> int:
    return (await call(gateway, "POST", f"/debug/accounts/{ID}/reset", **options))[0]


async def test_an_account_that_nothing_is_wrong_with(tmp_path: Path) -> None:
    async with door(tmp_path, api_key_expires_at=4_000_000_000.0) as gateway:
        assert await row(gateway) == {
            "id": ID,
            "provider": "qwen",
            "label": ID,
            "state": "ok",
            "in_use": True,
            "credential": "sk-…4f2a",
            "expires_at": "2096-10-02T07:06:40Z",
            "in_flight": 0,
            "requests": 0,
            "failures_in_a_row": 0,
            "last_error": "",
            "rests": [],
            "open_breakers": [],
            "paces": [{"model": "", "rpm": 60, "tpm": 0}],
        }


async def test_a_rest_says_why_until_when_and_what_to_do(tmp_path: Path) -> None:
    async with door(tmp_path) as gateway:
        fails(gateway, QuotaExhausted("The day's requests are used up.", retry_after_s=600))
        found = await row(gateway)
        [rest] = found["rests"]
        now = gateway.services.clock.now()

    assert (found["state"], found["requests"], found["failures_in_a_row"]) == ("ok", 1, 1), "other models are free"
    assert found["last_error"] == QuotaExhausted.kind
    assert (rest["reason"], rest["model"], rest["detail"]) == ("quota", "glm-5", "The day's requests are used up.")
    assert 590 < rest["seconds_left"] <= 660
    assert instant(rest["until"]) == pytest.approx(now + rest["seconds_left"], abs=3)
    assert "iflow2api login" in rest["next_step"]


async def test_open_breakers_and_requests_under_way_are_told(tmp_path: Path) -> None:
    async with door(tmp_path) as gateway:
        for number in range(5):  # several models of one family
            fails(gateway, Failing("Broken."), f"glm-{number}")
        lease = gateway.services.pool.take(Wish(provider="qwen", model="kimi"), gateway.services.clock.monotonic())
        found = await row(gateway)
        assert isinstance(lease, Lease)
        gateway.services.turnstile.leave(lease, Outcome())
    assert found["open_breakers"] == ["glm models"]
    assert (found["in_flight"], found["failures_in_a_row"]) == (1, 5)


async def test_an_account_that_is_not_in_use_is_told_too(tmp_path: Path) -> None:
    async with door(tmp_path, state=AccountState.DISABLED) as gateway:
        found = await row(gateway)
        assert (found["state"], found["in_use"], found["credential"]) == ("disabled", False, "sk-…4f2a")


async def test_ids_that_open_the_door_are_not_told(tmp_path: Path) -> None:
    path = "/debug/accounts"
    async with door(tmp_path, "[auth]\naccept_account_ids = true\n", label="ada") as gateway:
        fails(gateway, QuotaExhausted("Used up.", retry_after_s=600))
        status, body = await call(gateway, "GET", path)
        assert status == 200
        assert ID not in str(body)
        assert (await call(gateway, "GET", path, key=ID))[0] == 403, "it may use one account only"
        assert await reset(gateway, key=ID) == 403
        assert await reset(gateway) == 200


async def test_a_reset_clears_what_keeps_it_out(tmp_path: Path) -> None:
    async with door(tmp_path) as gateway:
        for _ in range(5):
            fails(gateway, Failing("Broken."), "glm-4")
            gateway.services.pool.standings()[0].way("glm-4").rest = None
        fails(gateway, QuotaExhausted("Used up.", retry_after_s=600), "kimi")
        assert await reset(gateway) == 200
        found = await row(gateway)
    assert (found["rests"], found["open_breakers"], found["failures_in_a_row"], found["last_error"]) == ([], [], 0, "")


async def test_a_reset_brings_back_one_that_was_refused(tmp_path: Path) -> None:
    async with door(tmp_path) as gateway:
        [account] = gateway.services.wired.accounts
        assert gateway.services.renewal.note_refused(account, CredentialError("No."))
        assert not (await row(gateway))["in_use"]
        assert await reset(gateway) == 200
        assert (await row(gateway))["in_use"]

        assert gateway.services.renewal.note_refused(account, CredentialError("No."))
        await gateway.services.renewal.save_refusals()
        assert (await row(gateway))["state"] == "needs_login"
        assert await reset(gateway) == 200
        found = await row(gateway)
    assert (found["state"], found["in_use"]) == ("ok", True)
    assert not on_disk(tmp_path, ID).is_refused


async def test_a_reset_does_not_switch_on_what_a_person_switched_off(tmp_path: Path) -> None:
    async with door(tmp_path, state=AccountState.DISABLED) as gateway:
        assert await reset(gateway) == 200
        assert (await row(gateway))["state"] == "disabled"


@pytest.mark.parametrize("account", ["nobody", "..%2F..%2Fetc", "%00", "a" * 300])
async def test_i39_nobody_is_not_found(tmp_path: Path, account: str) -> None:
    async with door(tmp_path) as gateway:
        status, body = await call(gateway, "POST", f"/debug/accounts/{account}/reset")
    assert status in (400, 404)
    assert account not in str(body)


async def test_a_file_that_is_gone_is_told_without_its_path(tmp_path: Path) -> None:
    async with door(tmp_path) as gateway:
        store(tmp_path).delete(ID)
        status, body = await call(gateway, "POST", f"/debug/accounts/{ID}/reset")
    assert status >= 500
    assert str(tmp_path) not in str(body)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}])
async def test_i27_a_page_of_another_origin_sees_and_resets_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    async with door(tmp_path) as gateway:
        assert (await call(gateway, "GET", "/debug/accounts", **headers))[0] == 403
        assert await reset(gateway, **headers) == 403


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({}, 200),
        ({"rpm": 100}, 200),
        ({"accounts": ("qwen/*",)}, 403),
        ({"models": ("*",)}, 403),
        ({"pool": "small"}, 403),
    ],
)
async def test_only_a_key_for_everything_sees_and_resets(tmp_path: Path, limits: dict[str, Any], status: int) -> None:
    key = replace(ClientKey(name="team", digest=digest_of("sk-team-0123456789")), **limits)
    KeyFile(find_paths({"IFLOW2API_HOME": str(tmp_path)}).keys_file).add(key)
    async with door(tmp_path, '[auth]\nrequired = "always"\n') as gateway:
        assert (await call(gateway, "GET", "/debug/accounts"))[0] == 401
        assert await reset(gateway) == 401
        assert (await call(gateway, "GET", "/debug/accounts", key="sk-team-0123456789"))[0] == status
        assert await reset(gateway, key="sk-team-0123456789") == status
