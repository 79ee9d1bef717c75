from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.config.schema import ProviderSettings, Settings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.doctor.visit import AT_ONCE, Caller, Visit, offset_of, plan
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.wiring.accounts import Accounts
from tests.support.machines import machine


def planned(home: Path, name: str, *bases: str, **table: Any) -> Visit:
    """The visit to a provider with a key for each base URL."""
    here = machine(home)
    tables = {name: ProviderSettings(**table)} if table else {}
    accounts = Accounts(Settings(providers=tables), here.paths, here.environ, clock=here.clock, home=home)
    for number, base in enumerate(bases):
        key = Secret(f"sk-0123456789-{number}")
        accounts.store.create(
            SavedAccount(
                id=f"a{number}",
                provider=name,
                label=f"l{number}",
                auth_type=AuthType.API_KEY,
                api_key=key,
                base_url=base,
            )
        )
    return plan(accounts, accounts.known(), name)


def test_a_vendor_is_visited_at_every_address_it_has(tmp_path: Path) -> None:
    visit = planned(tmp_path, "iflow")

    assert visit.vendor is not None
    assert [url.partition("?")[0] for url in visit.addresses()] == [
        "https://apis.iflow.cn/v1/chat/completions",
        "https://iflow.cn/oauth",
        "https://iflow.cn/oauth/token",
        "https://platform.iflow.cn/",
    ]


def test_a_sign_in_at_qwen_is_looked_for_at_the_portal(tmp_path: Path) -> None:
    addresses = list(planned(tmp_path, "qwen").addresses())

    assert addresses[0] == "https://portal.qwen.ai/v1/chat/completions"
    assert "https://chat.qwen.ai/api/v1/oauth2/device/code" in addresses


def test_the_question_carries_no_key_and_each_address_is_asked_once(tmp_path: Path) -> None:
    visit = planned(tmp_path, "iflow", "", "https://relay.example/v1", "")

    assert [chat.url for chat in visit.chats] == [
        "https://apis.iflow.cn/v1/chat/completions", "https://relay.example/v1/chat/completions",
    ]  # fmt: skip
    assert all(set(chat.headers) == {"Content-Type", "Accept"} for chat in visit.chats)
    assert [visit.vendor_at(chat.url) is not None for chat in visit.chats] == [True, False]


def test_a_relay_has_no_vendor_behind_it(tmp_path: Path) -> None:
    visit = planned(tmp_path, "iflow", base_url="https://relay.example/v1")

    assert visit.vendor is None
    assert "providers.iflow.base_url" in visit.way_out


def test_a_proxy_is_known_by_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    assert planned(tmp_path, "iflow").proxy_setting == ""
    assert planned(tmp_path, "iflow", trust_env=True).proxy_setting == "HTTPS_PROXY"
    assert planned(tmp_path, "iflow", proxy="socks5://127.0.0.1:9").proxy_setting == "upstream.proxy"


def test_a_provider_that_nobody_knows_cannot_be_planned(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        planned(tmp_path, "nope")


# --- calling --------------------------------------------------------------------------------------------------------


async def test_four_calls_go_out_at_once_and_each_is_told() -> None:
    told: list[str] = []
    caller, gate = Caller(told.append), asyncio.Event()
    running = [asyncio.ensure_future(caller(f"call {number}", gate.wait)) for number in range(9)]
    for _ in range(20):
        await asyncio.sleep(0)

    assert told == [f"call {number}" for number in range(AT_ONCE)]
    gate.set()
    await asyncio.gather(*running)
    assert len(told) == 9


async def test_a_call_that_takes_too_long_ends() -> None:
    with pytest.raises(TimeoutError):
        await Caller(lambda text: None, limit_s=0.01)("x", asyncio.Event().wait)


# --- the clock ----------------------------------------------------------------------------------------------------


def test_the_clock_is_compared_with_the_middle_of_those_who_answered(tmp_path: Path) -> None:
    visit = planned(tmp_path, "iflow")
    visit.dates += [0.1, 86_400.0, 0.2]

    assert offset_of([visit]) == 0.2
    assert offset_of([]) is None
