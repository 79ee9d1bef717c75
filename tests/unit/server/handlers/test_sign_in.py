"""`/auth/initiate` and `/auth/poll`, in the seed proxy's shape, against the demo's device codes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import LoginRequired
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from iflow_cli_proxy.server.key_book import KeyBook
from iflow_cli_proxy.signin.device import DeviceFlow
from iflow_cli_proxy.state.keys import KeyFile
from tests.support.gateway import RunningGateway
from tests.support.patience import until
from tests.support.people import Household, household

MADE_UP = {"device_code": "made-up", "code_verifier": "v" * 43}


@asynccontextmanager
async def door(home: Path, **demo: Any) -> AsyncIterator[tuple[Household, RunningGateway]]:
    async with household(home, **demo) as house, house.gateway("qwen") as gateway:
        house.demo.app.oauth.rules.poll_interval_s = 1
        yield house, gateway


async def post(gateway: RunningGateway, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session:
        more: dict[str, Any] = (
            {"data": body} if isinstance(body, bytes) else ({"json": body} if body is not None else {})
        )
        async with session.post(f"{gateway.url}{path}", headers=sent, **more) as answer:
            return answer.status, jsonx.decode(await answer.read()), dict(answer.headers)


async def test_a_code_is_given_and_the_account_kept_once_it_was_confirmed(tmp_path: Path) -> None:
    async with door(tmp_path, approves_by_itself=True) as (house, gateway):
        status, grant, headers = await post(gateway, "/auth/initiate")
        assert status == 200
        assert headers["Cache-Control"] == "no-store"
        assert set(grant) >= {"verification_uri", "user_code", "device_code", "code_verifier", "expires_in", "interval"}

        known = {name: grant[name] for name in ("device_code", "code_verifier", "interval")}
        status, done, _ = await post(gateway, "/auth/poll", {**known, "account": "work"})
        assert (status, done["message"]) == (200, "Authentication successful")
        [account] = house.store.load().accounts
    assert (account.provider, account.label) == ("qwen", "work")
    assert account.bearer.reveal() not in str(done), "the token is of no use outside"


@pytest.mark.parametrize("interval", [0, -1, 1e300, 10**400, 61, True, "1", None, [1]])
async def test_i55_an_interval_that_is_none_is_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interval: Any
) -> None:
    taken: list[float] = []

    def resume(self: DeviceFlow, *, interval_s: float, **_: Any) -> None:
        taken.append(interval_s)
        raise LoginRequired("That is all.")

    monkeypatch.setattr(DeviceFlow, "resume", resume)
    async with door(tmp_path) as (_, gateway):
        for asked in (interval, 2, 2.5):
            body = json.dumps({**MADE_UP, "interval": asked}).encode()
            await post(gateway, "/auth/poll", body, Content_Type="application/json")
    assert taken in ([5.0, 2.0, 2.5], [2.0, 2.5]), "or the body is no JSON to begin with"


async def test_it_stops_when_the_client_leaves(tmp_path: Path) -> None:
    async with door(tmp_path) as (house, gateway):
        _, grant, _ = await post(gateway, "/auth/initiate")
        known = {name: grant[name] for name in ("device_code", "code_verifier")}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await post(gateway, "/auth/poll", known)
        for _ in range(100):
            if not gateway.server.state.sign_ins_waited_for:
                break
            await asyncio.sleep(0.01)
        assert gateway.server.state.sign_ins_waited_for == 0
        assert house.store.load().accounts == ()


@pytest.mark.parametrize(
    "body", [{}, {"device_code": "x"}, {"code_verifier": "y"}, {"device_code": "", "code_verifier": "y"}]
)
async def test_both_fields_are_needed(tmp_path: Path, body: dict[str, str]) -> None:
    async with door(tmp_path) as (_, gateway):
        status, answer, _ = await post(gateway, "/auth/poll", body)
    assert (status, answer["error"]["type"]) == (400, "invalid_request")
    assert answer["error"]["message"] == "Missing device_code or code_verifier"


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b'{"device_code": 7, "code_verifier": "y"}', b'{"account": "../x"}',
     b'{"device_code": "c", "code_verifier": "v", "account": "../x"}',
     b'{"device_code": "c", "code_verifier": "v", "provider": 7}'],
)  # fmt: skip
async def test_i39_what_is_no_question_is_a_client_error(tmp_path: Path, body: bytes) -> None:
    async with door(tmp_path) as (house, gateway):
        status, _, _ = await post(gateway, "/auth/poll", body, Content_Type="application/json")
        assert house.calls["poll"] == 0
    assert status == 400


async def test_a_server_that_refuses_is_told_in_the_seeds_shape(tmp_path: Path) -> None:
    async with door(tmp_path) as (house, gateway):
        house.demo.app.oauth.faults.append("device:html")
        status, answer, _ = await post(gateway, "/auth/initiate")
        assert (status, answer["error"]["type"], answer["error"]["code"]) == (500, "authentication_error", 500)
        assert house.demo.origin not in str(answer)

        status, answer, _ = await post(gateway, "/auth/poll", {**MADE_UP, "interval": 1})
        assert (status, answer["error"]["type"]) == (500, "authentication_error")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": ""},
        {"Origin": "http://["},
    ],
)
@pytest.mark.parametrize("path", ["/auth/initiate", "/auth/poll"])
async def test_i27_a_page_of_another_origin_puts_no_account_into_the_pool(
    tmp_path: Path, path: str, headers: dict[str, str]
) -> None:
    async with door(tmp_path) as (house, gateway):
        status, _, _ = await post(gateway, path, {"device_code": "c", "code_verifier": "v"}, **headers)
        assert house.calls["device"] == house.calls["poll"] == 0
    assert status == 403


async def test_a_provider_without_device_codes_says_so(tmp_path: Path) -> None:
    async with door(tmp_path) as (_, gateway):
        status, answer, _ = await post(gateway, "/auth/initiate", {"provider": "deepseek"})
    assert status == 500
    assert "device code" in answer["error"]["message"]


SECRET = "sk-i2a-0123456789abcdef"


def limit(gateway: RunningGateway, home: Path, **limits: Any) -> None:
    """From now on that secret is a key with these limits."""
    file = KeyFile(home / "keys" / "keys.toml")
    file.add(ClientKey(name="team", digest=digest_of(SECRET), **limits))
    gateway.server.state.keys = KeyBook(file)
    gateway.server.state.keys.open()


@pytest.mark.parametrize("limits", [{"accounts": ("qwen/mine",)}, {"models": ("m",)}, {"pool": "mine"}])
async def test_a_limited_key_neither_adds_nor_replaces_a_sign_in(tmp_path: Path, limits: dict[str, Any]) -> None:
    async with door(tmp_path, approves_by_itself=True) as (house, gateway):
        boss = await house.qwen("boss")
        _, grant, _ = await post(gateway, "/auth/initiate")
        limit(gateway, tmp_path, **limits)
        known = {name: grant[name] for name in ("device_code", "code_verifier", "interval")}

        assert (await post(gateway, "/auth/initiate", x_api_key=SECRET))[0] == 403
        status, answer, _ = await post(gateway, "/auth/poll", {**known, "account": "boss"}, x_api_key=SECRET)

        assert status == 403
        assert boss.id not in str(answer)
        assert house.saved(boss).bearer.reveal() == boss.bearer.reveal()
        assert house.calls["poll"] == 1, "that of the household itself"


@pytest.mark.parametrize("accepts", [True, False])
async def test_the_id_of_the_account_is_told_unless_it_is_a_key(tmp_path: Path, accepts: bool) -> None:
    more = f"[auth]\naccept_account_ids = {str(accepts).lower()}\n"
    async with household(tmp_path, approves_by_itself=True) as house, house.gateway("qwen", more=more) as gateway:
        house.demo.app.oauth.rules.poll_interval_s = 1
        _, grant, _ = await post(gateway, "/auth/initiate")
        known = {name: grant[name] for name in ("device_code", "code_verifier", "interval")}
        _, done, _ = await post(gateway, "/auth/poll", known)
        [account] = house.store.load().accounts

    assert ("id" not in done["account"]) is accepts
    assert (account.id not in str(done)) is accepts


async def test_waiting_for_a_person_takes_none_of_a_keys_places_and_no_time_of_a_drain(tmp_path: Path) -> None:
    async with door(tmp_path) as (_, gateway):
        limit(gateway, tmp_path, concurrency=1)
        _, grant, _ = await post(gateway, "/auth/initiate", x_api_key=SECRET)
        known = {name: grant[name] for name in ("device_code", "code_verifier")}
        waiting = asyncio.create_task(post(gateway, "/auth/poll", known, x_api_key=SECRET))
        await until(lambda: gateway.server.state.sign_ins_waited_for == 1)
        assert gateway.server.state.keys.allowances.running("team") == 0

        async with asyncio.timeout(5):
            await gateway.server.drain()
        status, answer, headers = await waiting

    assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "draining", "1")
