"""Settings made real: which providers, accounts and limits come of them, and what survives a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.demo.run import start_demo
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring import Services
from tests.support.gateway import settings_from, upstream_table


def services(toml: str, home: Path, environ: dict[str, str] | None = None) -> Services:
    around = {"IFLOW2API_HOME": str(home), **(environ or {})}
    return Services(Live(settings_from(toml)), find_paths(around), around, home=home)


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


async def test_equal_options_share_one_transport_across_a_change(tmp_path: Path) -> None:
    both = services(upstream_table("http://127.0.0.1:1/v1") + '[providers.two]\nbase_url = "http://127.0.0.1:2/v1"\n'
                    'transport = "plain"\n', tmp_path)  # fmt: skip
    before = both.wired.gateway.upstreams
    assert before["up"].transport is before["two"].transport
    both.settings.replace(settings_from(upstream_table("http://127.0.0.1:3/v1")))
    assert both.gateway.current.upstreams["up"].transport is before["up"].transport
    await both.aclose()


def test_counts_of_an_account_survive_a_change_of_settings(tmp_path: Path) -> None:
    running = services(upstream_table("http://127.0.0.1:1/v1"), tmp_path)
    lease = running.pool.take("up")
    assert lease is not None
    running.settings.replace(settings_from(upstream_table("http://127.0.0.1:2/v1")))
    assert [standing.in_flight for standing in running.pool.standings()] == [1]
    running.pool.give_back(lease)
    assert [standing.in_flight for standing in running.pool.standings()] == [0]


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


def test_an_unknown_kind_is_a_config_error_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        services('[providers.x]\nkind = "deepsek"\n', tmp_path)
    assert raised.value.param == "providers.x.kind"
    assert "deepseek" in raised.value.hint


@pytest.mark.parametrize(
    ("toml", "param"),
    [
        ('[providers.x]\nkind = "nope"\n', "providers.x.kind"),
        ('[providers.x]\nkind = "openai_compatible"\n', "providers.x.base_url"),
        ('[providers.x]\nbase_url = "http://127.0.0.1:1"\nca_file = "/nowhere/ca.pem"\n', "upstream.ca_file"),
    ],
)
def test_settings_that_cannot_be_wired_are_refused_before_they_are_in_force(
    tmp_path: Path, toml: str, param: str
) -> None:
    running = services(upstream_table("http://127.0.0.1:1/v1"), tmp_path)
    gateway = running.gateway.current
    with pytest.raises(ConfigError) as raised:
        running.checked(settings_from(toml))
    assert raised.value.param == param
    assert running.gateway.current is gateway


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


async def test_a_dead_upstream_is_reported_and_harms_nothing(tmp_path: Path) -> None:
    running = services(upstream_table("http://127.0.0.1:1/v1"), tmp_path)
    outcome = await running.list_upstream_models()
    assert outcome["up"] is not None
    assert outcome["up"].kind == "upstream_unreachable"
    await running.aclose()
