"""Settings made real: which providers, accounts and limits come of them, and what survives a change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.demo.run import start_demo
from iflow_cli_proxy.providers.iflow.sunset import SUNSET_AT
from iflow_cli_proxy.state.paths import Paths, find_paths
from iflow_cli_proxy.wiring.checking import checked
from iflow_cli_proxy.wiring.services import Services
from tests.support.fake_clock import FakeClock
from tests.support.gateway import settings_from, upstream_table


def around(home: Path, environ: dict[str, str] | None = None) -> tuple[Paths, dict[str, str]]:
    variables = {"IFLOW2API_HOME": str(home), "IFLOW_HOME": str(home / ".iflow"), **(environ or {})}
    return find_paths(variables), variables


def services(toml: str, home: Path, environ: dict[str, str] | None = None) -> Services:
    return Services(Live(settings_from(toml)), *around(home, environ), home=home)


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
        ('[providers.x]\nbase_url = "http://127.0.0.1:1"\nca_file = "/nowhere/ca.pem"\n', "providers.x.ca_file"),
        ('[upstream]\nca_file = "/nowhere/ca.pem"\n', "upstream.ca_file"),
        ('[providers.x]\nkind = "claude"\n', "providers.x.kind"),
        ('[routing]\ndefault_provider = "desk"\n', "routing.default_provider"),
        ("[server]\nworkers = 2\n", "server.workers"),
        ('[auth]\nrequired = "always"\n', "auth.client_keys"),
        ('[models.parameters."m*"]\noverride = { model = "x" }\n', 'models.parameters."m*".override'),
    ],
)
def test_settings_that_cannot_be_wired_are_refused_before_they_are_in_force(
    tmp_path: Path, toml: str, param: str
) -> None:
    running = services(upstream_table("http://127.0.0.1:1/v1"), tmp_path)
    gateway = running.gateway.current
    with pytest.raises(ConfigError) as raised:
        checked(settings_from(toml), *around(tmp_path))
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


MODELS = {
    "not UTF-8": lambda path: path.write_bytes(b"\xff"),
    "a folder": lambda path: path.mkdir(),
    "not TOML": lambda path: path.write_text("[[models]"),
    "a wrong key": lambda path: path.write_text("[[models]]\nid = 'm'\ncolour = 1\n"),
}


@pytest.mark.parametrize("damage", MODELS)
def test_model_data_that_cannot_be_used_is_named_and_never_a_traceback(tmp_path: Path, damage: str) -> None:
    (tmp_path / "models").mkdir()
    MODELS[damage](tmp_path / "models" / "iflow.toml")

    with pytest.raises(ConfigError) as raised:
        checked(settings_from(""), *around(tmp_path))

    assert "models/iflow.toml" in raised.value.message.replace("\\", "/")
    assert raised.value.hint


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_model_data_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "iflow.toml").touch(mode=0)
    with pytest.raises(ConfigError, match="Permission denied"):
        checked(settings_from(""), *around(tmp_path))


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


async def test_connections_no_longer_used_are_set_aside_and_closed_when_told(tmp_path: Path) -> None:
    running = services(upstream_table("http://127.0.0.1:1/v1"), tmp_path)
    old = running.gateway.current.upstreams["up"].transport
    running.settings.replace(settings_from(upstream_table("http://127.0.0.1:1/v1", more="connect_timeout_s = 1")))
    new = running.gateway.current.upstreams["up"].transport

    assert running.transports.unused == (old,)
    await running.transports.close_unused(running.transports.unused)
    assert running.transports.unused == ()
    assert running.gateway.current.upstreams["up"].transport is new is not old
    await running.aclose()
