"""Accounts that people have signed in, at work: over real sockets against the demo's APIs and OAuth servers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.pool.saved import AccountState
from iflow_cli_proxy.wiring.watching import AccountWatch
from tests.support.gateway import RunningGateway, chat_body, post_chat
from tests.support.people import Household, household


async def said(gateway: RunningGateway, **fields: Any) -> tuple[int, Any]:
    status, _, body = await post_chat(gateway, chat_body(**fields))
    return status, jsonx.decode(body) if body.startswith(b"{") else body


async def answers(gateway: RunningGateway, model: str, times: int = 1) -> list[int]:
    return [status for status, _ in await asyncio.gather(*(said(gateway, model=model) for _ in range(times)))]


MODEL = {"iflow": "glm-4.7", "qwen": "coder-model"}


async def signed_in(house: Household, provider: str, person: str = "ada") -> Any:
    return await (house.iflow(person) if provider == "iflow" else house.qwen(person))


@pytest.mark.parametrize("provider", ["iflow", "qwen"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_sign_in_is_all_it_takes(tmp_path: Path, provider: str, stream: bool) -> None:
    async with household(tmp_path) as house:
        await signed_in(house, provider)
        async with house.gateway(provider) as gateway:
            status, body = await said(gateway, model=MODEL[provider], stream=stream)
    assert status == 200
    assert (b"[DONE]" in body) if stream else body["choices"][0]["message"]["content"]
    assert house.calls["refresh"] == 0


@pytest.mark.parametrize("provider", ["iflow", "qwen"])
async def test_f37_a_bearer_that_has_ended_costs_one_refresh_and_no_client_an_error(
    tmp_path: Path, provider: str
) -> None:
    async with household(tmp_path) as house:
        account = await signed_in(house, provider)
        end_bearers(house, provider)
        async with house.gateway(provider) as gateway:
            assert await answers(gateway, MODEL[provider], 12) == [200] * 12
        assert house.calls["refresh"] == 1
        newer = house.saved(account)
    assert newer.bearer != account.bearer
    assert newer.tokens.refresh_token != account.tokens.refresh_token  # type: ignore[union-attr]
    assert newer.state is AccountState.OK


def end_bearers(house: Household, provider: str) -> None:
    if provider == "qwen":
        house.demo.app.oauth.qwen.tokens.end_access()
    else:
        house.demo.app.oauth.iflow.renew_key("ada")
        house.demo.app.oauth.rules.renews_keys = True


async def test_f38_an_account_whose_refresh_is_dead_needs_a_login_and_another_one_serves(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        dead, alive = await house.qwen("ada"), await house.qwen("bob")
        house.demo.app.oauth.qwen.tokens.revoke("ada")
        async with house.gateway("qwen") as gateway:
            assert await answers(gateway, "coder-model", 6) == [200] * 6
            assert [one.account.id for one in gateway.services.pool.standings()] == [alive.id]
            await AccountWatch(gateway.services).look()
        found = house.saved(dead)
    assert found.state is AccountState.NEEDS_LOGIN
    assert found.bearer == dead.bearer, "what it had is kept"
    assert found.last_error
    assert found.bearer.reveal() not in found.last_error


async def test_f38_with_no_other_account_the_answer_names_the_login(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        await house.qwen()
        house.demo.app.oauth.qwen.tokens.revoke("ada")
        async with house.gateway("qwen") as gateway:
            first, second = await said(gateway, model="coder-model"), await said(gateway, model="coder-model")
            refreshes = house.calls["refresh"]
            await said(gateway, model="coder-model")
    assert (first[0], second[0]) == (502, 502)
    assert first[1]["error"]["code"] == second[1]["error"]["code"] == "upstream_auth"
    assert "iflow2api login qwen" in str(second[1])
    assert house.calls["refresh"] == refreshes, "nobody asks again for what only a person can bring"


@pytest.mark.parametrize(
    ("provider", "wish"),
    [
        ("qwen", "refresh:http_502"),
        ("iflow", "refresh:overload"),
        ("iflow", "userinfo:http_502"),
        ("iflow", "userinfo:userinfo_refused"),
    ],
)
async def test_a_sign_in_server_that_fails_for_a_moment_costs_nobody_a_login(
    tmp_path: Path, provider: str, wish: str
) -> None:
    async with household(tmp_path) as house:
        account = await signed_in(house, provider)
        end_bearers(house, provider)
        house.demo.app.oauth.faults.append(wish)
        async with house.gateway(provider) as gateway:
            assert await answers(gateway, MODEL[provider], 3) == [502] * 3
            status, resting = await said(gateway, model=MODEL[provider])
            await AccountWatch(gateway.services).look()
        assert (status, resting["error"]["code"]) == (503, "no_account_available")
        assert "login" not in str(resting)
        assert (house.saved(account).state, house.saved(account).is_refused) == (AccountState.OK, False)
        assert house.saved(account).last_error


async def test_f48_a_token_that_ends_in_the_middle_of_a_stream_ends_no_stream(tmp_path: Path) -> None:
    async with household(tmp_path, delay_s=0.02) as house:
        await house.qwen()
        async with house.gateway("qwen") as gateway:
            running = asyncio.ensure_future(said(gateway, model="coder-model", stream=True))
            await asyncio.sleep(0.05)
            house.demo.app.oauth.qwen.tokens.end_access()
            status, body = await running
            assert (status, b"[DONE]" in body) == (200, True)
            assert await answers(gateway, "coder-model") == [200]
    assert house.calls["refresh"] == 1


async def test_a_bearer_about_to_end_is_refreshed_before_it_goes_out(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        account = await house.qwen()
        house.store.change(
            account.id,
            lambda one: replace(one, tokens=replace(one.tokens, expires_at=account.created_at - 5)),  # type: ignore[type-var]
        )
        async with house.gateway("qwen") as gateway:
            assert await answers(gateway, "coder-model", 5) == [200] * 5
            assert {exchange.attempts[0].error_kind for exchange in gateway.exchanges} == {""}
    assert house.calls["refresh"] == 1


async def test_an_account_made_beside_the_running_gateway_is_taken_up(tmp_path: Path) -> None:
    async with household(tmp_path) as house, house.gateway("qwen") as gateway:
        watch = AccountWatch(gateway.services)
        assert (await said(gateway, model="coder-model"))[0] == 503
        account = await house.qwen()
        await watch.look()
        assert await answers(gateway, "coder-model") == [200]
        house.store.change(account.id, lambda one: replace(one, state=AccountState.DISABLED))
        await watch.look()
        assert (await said(gateway, model="coder-model"))[0] in (502, 503)


async def test_a_clean_stop_leaves_the_counts_in_the_files(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        account = await house.qwen()
        async with house.gateway("qwen") as gateway:
            gateway.server.look_after_accounts()
            await answers(gateway, "coder-model", 3)
        found = house.saved(account)
        async with house.gateway("qwen") as gateway:
            gateway.server.look_after_accounts()
            await answers(gateway, "coder-model", 2)
    assert found.request_count == 3
    assert found.last_used_at is not None
    assert house.saved(account).request_count == 5


# --- sign-ins of other programs -----------------------------------------------------------------------------------


async def test_qwen_codes_own_sign_in_is_used_and_kept_alive_where_it_lies(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        file = await qwen_code_has_signed_in(house)
        house.demo.app.oauth.qwen.tokens.end_access()
        async with house.gateway("qwen") as gateway:
            assert await answers(gateway, "coder-model", 4) == [200] * 4
        newer = jsonx.decode(file.read_bytes())
    assert house.calls["refresh"] == 1
    assert newer["theirs"] == "kept"
    assert house.demo.app.oauth.qwen.tokens.is_live(newer["refresh_token"])
    assert not (file.parent / "oauth_creds.lock").exists()
    assert house.store.load().accounts == (), "nothing of it was copied"


async def qwen_code_has_signed_in(house: Household, person: str = "ada") -> Path:
    tree = jsonx.decode(await house.qwen_tokens(person))
    file = house.home / ".qwen" / "oauth_creds.json"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    tree = {
        **{name: tree[name] for name in ("access_token", "refresh_token", "token_type", "resource_url")},
        "expiry_date": 4_000_000_000_000,
        "theirs": "kept",
    }
    file.write_bytes(jsonx.encode(tree))
    file.chmod(0o600)
    return file


async def test_the_iflow_clients_own_sign_in_is_renewed_where_its_key_is_refused(tmp_path: Path) -> None:
    async with household(tmp_path, {"IFLOW_HOME": str(tmp_path / ".iflow")}) as house:
        account = await house.iflow()
        assert account.tokens is not None
        house.store.delete(account.id)
        folder = tmp_path / ".iflow"
        folder.mkdir(mode=0o700)
        creds = {
            "access_token": account.tokens.access_token.reveal(),
            "refresh_token": account.tokens.refresh_token.reveal(),
            "expiry_date": 4_000_000_000_000,
            "apiKey": account.api_key.reveal(),
            "theirs": "kept",
        }
        for name, tree in {
            "oauth_creds.json": creds,
            "iflow_accounts.json": {"active": None, "iflowApiKey": account.api_key.reveal()},
            "settings.json": {"apiKey": account.api_key.reveal(), "theme": "dark"},
        }.items():
            (folder / name).write_bytes(jsonx.encode(tree))
            (folder / name).chmod(0o600)
        house.demo.app.oauth.iflow.renew_key("ada")
        async with house.gateway("iflow") as gateway:
            assert await answers(gateway, "glm-4.7", 4) == [200] * 4
        creds, cached, settings = (
            jsonx.decode((folder / name).read_bytes())
            for name in ("oauth_creds.json", "iflow_accounts.json", "settings.json")
        )
    assert house.calls["refresh"] == 1
    assert creds["theirs"] == "kept"
    assert creds["apiKey"] == cached["iflowApiKey"] == settings["apiKey"] != account.api_key.reveal()
    assert settings["theme"] == "dark"
