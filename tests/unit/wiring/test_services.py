"""Settings made real: which providers, accounts and limits come of them, and what survives a change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CredentialError, LoginRequired, RateLimited
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.demo.run import start_demo
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import Lease
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.providers.base import Call
from iflow_cli_proxy.providers.iflow.sunset import SUNSET_AT
from iflow_cli_proxy.transport.base import UpstreamReply, UpstreamRequest
from iflow_cli_proxy.wiring.services import Services
from tests.support.fake_clock import FakeClock
from tests.support.gateway import settings_from, upstream_table
from tests.support.people import household
from tests.support.wiring import around, iflow_files, keep, on_disk, qwen_account, qwen_file, services, store


def test_an_existing_iflow_sign_in_becomes_a_provider_without_any_table(tmp_path: Path) -> None:
    (tmp_path / ".iflow").mkdir()
    (tmp_path / ".iflow" / "settings.json").write_text('{"apiKey": "sk-0123456789abcdef"}')
    wired = services("", tmp_path).wired
    assert list(wired.gateway.upstreams) == ["iflow"]
    assert [account.api_key.reveal() for account in wired.accounts] == ["sk-0123456789abcdef"]
    assert [account.concurrency for account in wired.accounts] == [1], "the vendor's limit is one at a time"


def test_without_a_sign_in_iflow_is_not_there(tmp_path: Path) -> None:
    assert services("", tmp_path).wired.gateway.upstreams == {}


def test_a_disabled_iflow_table_keeps_a_sign_in_out(tmp_path: Path) -> None:
    wired = services("[providers.iflow]\nenabled = false\n", tmp_path, {"IFLOW_API_KEY": "sk-0123456789abcdef"}).wired
    assert wired.gateway.upstreams == {}


def test_limits_of_a_provider_reach_its_upstream(tmp_path: Path) -> None:
    more = "first_byte_timeout_s = 6\ntotal_timeout_s = 100\njson_total_timeout_s = 50"
    upstream = services(upstream_table("http://127.0.0.1:1/v1", more=more), tmp_path).wired.gateway.upstreams["up"]
    assert upstream.stream_limits.first_byte_s == 6
    assert upstream.stream_limits.total_s == 100
    assert upstream.json_limits.total_s == 50


def test_counts_of_an_account_survive_a_change_of_settings(tmp_path: Path) -> None:
    running = services(upstream_table("http://127.0.0.1:1/v1"), tmp_path)
    lease = running.pool.take(Wish(provider="up"), 0.0)
    assert lease is not None
    running.settings.replace(settings_from(upstream_table("http://127.0.0.1:2/v1")))
    assert [standing.in_flight for standing in running.pool.standings()] == [1]
    running.pool.give_back(lease, Outcome(), 0.0)
    assert [standing.in_flight for standing in running.pool.standings()] == [0]


def test_r1_rests_are_spread_by_chance_and_only_upwards(tmp_path: Path) -> None:
    running = services(upstream_table("http://127.0.0.1:1/v1"), tmp_path)
    lengths: set[float] = set()
    for _ in range(20):
        lease = running.pool.take(Wish(provider="up"), 0.0)
        assert isinstance(lease, Lease)
        running.pool.give_back(lease, Outcome(error=RateLimited("slow down", retry_after_s=10.0)), 0.0)
        lengths |= {rest.until for _, rest in running.pool.rests(0.0)}
        running.pool.reset(lease.account.id)
    assert len(lengths) > 1
    assert 10.0 <= min(lengths) < max(lengths) <= 11.0


async def test_a_provider_whose_settings_stay_the_same_goes_on_with_its_sessions(tmp_path: Path) -> None:
    table = upstream_table("http://127.0.0.1:1/v1")
    running = services(table, tmp_path)
    before = running.gateway.current.upstreams["up"].provider
    running.settings.replace(settings_from(table + "[server]\nkeepalive_s = 7\n"))
    assert running.gateway.current.upstreams["up"].provider is before
    running.settings.replace(settings_from(table + 'models = ["new"]\n'))
    assert running.gateway.current.upstreams["up"].provider is not before
    await running.aclose()


def test_the_queue_is_as_long_as_the_settings_say_and_a_change_is_taken_up(tmp_path: Path) -> None:
    running = services("[routing]\nqueue_timeout_s = 0.5\nqueue_places = 7\n", tmp_path)
    turnstile = running.gateway.current.turnstile
    assert (turnstile.timeout_s, turnstile.places) == (0.5, 7)
    running.settings.replace(settings_from(""))
    assert running.gateway.current.turnstile is turnstile, "who waits goes on waiting"
    assert (turnstile.timeout_s, turnstile.places) == (30, 100)


async def test_models_listed_by_the_upstream_are_merged_and_survive_a_change(tmp_path: Path) -> None:
    async with await start_demo(delay_s=0) as demo:
        table = f'[providers.desk]\nkind = "iflow"\nbase_url = "{demo.url}"\napi_key = "{demo.key}"\n'
        running = services(table, tmp_path)
        assert await running.list_upstream_models() == {"desk": None}
        running.settings.replace(settings_from(table + 'models = ["mine"]\n'))
        catalog = running.gateway.current.upstreams["desk"].provider.catalog
        assert catalog.find("mine") is not None
        assert catalog.find("glm-4.6") is not None
        await running.aclose()


def sign_in(home: Path, **settings: str) -> None:
    (home / ".iflow").mkdir(exist_ok=True)
    (home / ".iflow" / "settings.json").write_text(jsonx.encode(settings).decode())


async def test_a_changed_sign_in_is_taken_up_with_equal_settings_and_the_provider_goes_on(tmp_path: Path) -> None:
    sign_in(tmp_path, apiKey="sk-old-0123456789abcdef")
    running = services("", tmp_path)
    before = running.wired
    sign_in(tmp_path, apiKey="sk-new-0123456789abcdef")

    running.settings.replace(running.settings.current)

    assert [account.api_key.reveal() for account in running.wired.accounts] == ["sk-new-0123456789abcdef"]
    assert running.wired.gateway.upstreams["iflow"].provider is before.gateway.upstreams["iflow"].provider
    await running.aclose()


async def test_changed_model_data_is_taken_up_with_equal_settings(tmp_path: Path) -> None:
    running = services("", tmp_path, {"IFLOW_API_KEY": "sk-0123456789abcdef"})
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "iflow.toml").write_text("[[models]]\nid = 'mine'\n")

    running.settings.replace(running.settings.current)

    assert running.gateway.current.upstreams["iflow"].provider.catalog.find("mine") is not None
    await running.aclose()


def test_the_files_beside_the_settings_are_model_data_and_sign_ins(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "iflow.toml").touch()

    files = services("", tmp_path).outside_files()

    assert {tmp_path / "models", tmp_path / "models" / "iflow.toml", tmp_path / ".iflow" / "settings.json"} <= {*files}


@pytest.mark.parametrize(
    ("base_url", "is_closed"),
    [("http://127.0.0.1:9801/v1", False), ("https://relay.example/v1", False), ("https://apis.iflow.cn/v1/", True)],
)
async def test_a_sign_in_that_leads_elsewhere_is_no_closed_service(
    tmp_path: Path, base_url: str, is_closed: bool
) -> None:
    sign_in(tmp_path, apiKey="sk-0123456789abcdef", baseUrl=base_url)
    variables = around(tmp_path)
    running = Services(Live(settings_from("")), *variables, home=tmp_path, clock=FakeClock(SUNSET_AT + 1))
    assert bool(running.wired.gateway.upstreams["iflow"].provider.hint_when_gone) is is_closed
    await running.aclose()


# --- accounts -----------------------------------------------------------------------------------------------------


def keys(running: Services) -> list[str]:
    """What goes out for each account in the pool."""
    return [standing.account.api_key.reveal() for standing in running.pool.standings()]


def api_key(id: str, provider: str, **changes: str) -> SavedAccount:
    return SavedAccount(
        id=id, provider=provider, label=id, auth_type=AuthType.API_KEY, api_key=Secret(f"sk-of-{id}"), **changes
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [("plain", "relay"), ("relay", "plain")])
def test_a_key_never_goes_to_the_address_of_another_account(tmp_path: Path, names: tuple[str, str]) -> None:
    ids = dict(zip(names, ("a", "b"), strict=True))
    keep(tmp_path, api_key(ids["plain"], "iflow"))
    keep(tmp_path, api_key(ids["relay"], "iflow", base_url="https://relay.example/v1"))
    running = services("", tmp_path)
    provider = running.wired.gateway.upstreams["iflow"].provider
    urls = {account.id: provider.models_request(account).url for account in running.wired.accounts}  # type: ignore[union-attr]
    assert urls[ids["relay"]].startswith("https://relay.example/")
    assert urls[ids["plain"]].startswith("https://apis.iflow.cn/")


def test_an_address_that_came_with_a_sign_in_is_not_trusted_for_that(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account(base_url="https://stranger.example/v1"))
    running = services("", tmp_path, clock=FakeClock())
    account, provider = running.wired.accounts[0], running.wired.gateway.upstreams["qwen"].provider
    with pytest.raises(LoginRequired):
        provider.prepare(Call(account=account, model="coder-model", fields={"messages": []}, is_stream=False))


def test_a_stored_account_of_a_service_known_by_its_name_needs_no_table(tmp_path: Path) -> None:
    keep(tmp_path, api_key("mine", "openrouter"))
    assert [account.id for account in services("", tmp_path).wired.accounts] == ["mine"]


def test_a_stored_account_whose_table_was_removed_is_out_of_use_and_named(tmp_path: Path) -> None:
    keep(tmp_path, api_key("mine", "our-relay"))
    wired = services("", tmp_path).wired
    assert wired.accounts == ()
    assert [finding.where for finding in wired.findings] == ["providers.our-relay"]


def test_a_sign_in_at_iflow_serves_beside_another_table_of_its_kind(tmp_path: Path) -> None:
    keep(tmp_path, api_key("mine", "iflow"))
    relay = '[providers.relay]\nkind = "iflow"\nbase_url = "https://relay.example/v1"\napi_key = "sk-of-relay"\n'
    wired = services(relay, tmp_path).wired
    assert {account.provider: account.id for account in wired.accounts} == {"relay": "relay", "iflow": "mine"}


def test_a_disabled_table_keeps_its_stored_accounts_out(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    running = services("[providers.qwen]\nenabled = false\n", tmp_path)
    assert running.wired.gateway.upstreams == {}
    assert [*running.accounts.kept_fresh()] == [], "nobody is called for a provider that is off"


def test_a_provider_whose_accounts_are_all_switched_off_needs_no_login(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account(state=AccountState.DISABLED))
    assert not services("", tmp_path).wired.gateway.upstreams["qwen"].needs_login
    keep(tmp_path, qwen_account("bob", is_refused=True))
    assert services("", tmp_path).wired.gateway.upstreams["qwen"].needs_login


def test_the_default_account_is_the_first_choice(tmp_path: Path) -> None:
    for name in ("ada", "bob", "eve"):
        qwen_file(tmp_path, name)
    running = services("", tmp_path, {"DEFAULT_ACCOUNT": "eve"}, clock=FakeClock())
    lease = running.pool.take(Wish(provider="qwen"), 0.0)
    assert lease is not None
    assert lease.account.label == "eve"


def test_without_a_default_account_nobody_is_preferred_for_having_no_name(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account(label=""))
    assert [account.is_preferred for account in services("", tmp_path).wired.accounts] == [False]


async def test_wiring_again_leaves_a_lease_alone_and_counts_it(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    running = services("", tmp_path, clock=FakeClock())
    lease = running.pool.take(Wish(provider="qwen"), 0.0)
    assert lease is not None

    running.wire_again()
    store(tmp_path).change("ada", lambda one: replace(one, label="renamed"))
    await running.look_again()

    assert [(one.in_flight, one.account.label) for one in running.pool.standings()] == [(1, "renamed")]
    running.turnstile.leave(lease, Outcome())
    assert [one.in_flight for one in running.pool.standings()] == [0]
    await running.aclose()


async def test_accounts_that_were_only_used_more_change_no_gateway(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    running = services("", tmp_path, clock=FakeClock())
    before = running.gateway.current

    store(tmp_path).change("ada", lambda one: replace(one, request_count=7, last_used_at=1.0))
    await running.look_again()
    assert running.gateway.current is before
    assert running.accounts.last("ada").saved.request_count == 7  # type: ignore[union-attr]

    store(tmp_path).change("ada", lambda one: replace(one, state=AccountState.DISABLED))
    await running.look_again()
    assert running.gateway.current is not before
    assert running.pool.standings() == ()
    await running.aclose()


async def test_a_refused_account_is_out_whatever_is_wired_again(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account())
    running = services("", tmp_path, clock=FakeClock())
    assert running.renewal.note_refused(running.wired.accounts[0], CredentialError("no"))
    assert running.pool.standings() == ()
    running.settings.replace(settings_from("[server]\nkeepalive_s = 7\n"))
    assert running.pool.standings() == ()
    assert running.gateway.current.upstreams["qwen"].needs_login
    await running.aclose()


def refreshed(running: Services, account_id: str, **tokens: Secret) -> SavedAccount:
    """What a refresh tells of an account."""
    known = running.accounts.last(account_id)
    assert known is not None
    assert known.saved.tokens is not None
    saved = replace(known.saved, tokens=replace(known.saved.tokens, **tokens))  # type: ignore[arg-type]
    running.accounts.note(saved)
    for listener in running.accounts.listeners:
        listener(saved)
    return saved


async def test_a_sign_in_that_a_refresh_has_brought_to_life_joins_the_pool(tmp_path: Path) -> None:
    qwen_file(tmp_path, access_token="")
    running = services("", tmp_path, clock=FakeClock())
    assert keys(running) == []
    refreshed(running, "qwen-cli", access_token=Secret("at-new-0123456789"))
    assert keys(running) == ["at-new-0123456789"]
    await running.aclose()


async def test_a_refresh_leaves_an_account_as_many_places_as_its_provider_gives(tmp_path: Path) -> None:
    keep(tmp_path, qwen_account(provider="iflow"))
    running = services("", tmp_path, clock=FakeClock())
    refreshed(running, "ada", access_token=Secret("at-new-0123456789"))
    assert keys(running) == ["at-new-0123456789"]
    assert [standing.account.concurrency for standing in running.pool.standings()] == [1]
    await running.aclose()


async def test_a_spare_key_in_use_survives_a_change_of_settings(tmp_path: Path) -> None:
    iflow_files(tmp_path, apiKey="sk-second-0123456789")
    (tmp_path / ".iflow" / "oauth_creds.json").unlink()
    running = services("", tmp_path, {"IFLOW_API_KEY": "sk-env-0123456789"})
    assert keys(running) == ["sk-env-0123456789"]

    newer = await running.renewal.renew(running.wired.accounts[0])
    assert newer is not None
    running.settings.replace(settings_from("[server]\nkeepalive_s = 7\n"))

    assert keys(running) == [newer.api_key.reveal()] == ["sk-second-0123456789"]
    await running.aclose()


async def test_the_list_of_models_is_asked_for_with_a_bearer_that_works(tmp_path: Path) -> None:
    async with household(tmp_path) as house:
        account = await house.iflow()
        house.demo.app.oauth.iflow.renew_key("ada")
        house.demo.app.oauth.rules.renews_keys = True
        running = services(house.toml("iflow"), tmp_path)
        assert await running.list_upstream_models() == {"iflow": None}
        assert house.calls["refresh"] == 1
        assert keys(running) == [on_disk(tmp_path, account.id).bearer.reveal()] != [account.bearer.reveal()]
        await running.aclose()


async def test_a_refresh_that_has_begun_ends_before_the_connections_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with household(tmp_path) as house:
        account = await house.qwen()
        running = services(house.toml("qwen"), tmp_path)
        transport = running.accounts.transport("qwen")
        send, is_asked = transport.send, asyncio.Event()

        async def slow(request: UpstreamRequest) -> UpstreamReply:
            is_asked.set()
            await asyncio.sleep(0.05)
            return await send(request)

        monkeypatch.setattr(transport, "send", slow)
        refreshing = asyncio.ensure_future(running.accounts.refresher.refresh(account.id, seen=account.bearer))
        await is_asked.wait()
        assert running.accounts.refresher.is_busy
        await running.aclose()
        newer = await refreshing
    assert newer.bearer != account.bearer
    assert on_disk(tmp_path, account.id).bearer == newer.bearer
