"""The names and defaults that scripts, containers and tests rely on."""

import tomllib
from dataclasses import FrozenInstanceError

import pytest

from iflow_cli_proxy.config.leaf import spec_of
from iflow_cli_proxy.config.load import ConfigText, load
from iflow_cli_proxy.config.schema import ProviderSettings, Settings, upstream_leaves
from iflow_cli_proxy.core.secret import Secret

PROMISED = """
[server]
host = "127.0.0.1"
port = 28000
workers = 1
max_body_bytes = 10_485_760
keepalive_s = 15
drain_s = 30
[auth]
required = "auto"
accept_account_ids = false
[upstream]
transport = "auto"
impersonate = "chrome124"
proxy = ""
trust_env = false
connect_timeout_s = 5
first_byte_timeout_s = 120
idle_timeout_s = 60
content_timeout_s = 180
total_timeout_s = 1800
[routing]
strategy = "least_busy"
unknown_models = "pass"
queue_timeout_s = 30
queue_places = 100
[resilience]
failure_threshold = 3
cool_down_s = 30
retry_attempts = 1
retry_backoff_ms = 200
retry_status_codes = [429, 500, 502, 503, 504]
[reasoning]
preserve = true
"""


def test_the_stable_names_exist_and_their_defaults_are_the_promised_ones() -> None:
    assert load(config=ConfigText("promised", PROMISED))[0] == Settings()
    assert tomllib.loads(PROMISED)


def test_the_tree_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().server.port = 1  # type: ignore[misc]


def test_printing_the_settings_shows_no_secret() -> None:
    provider = ProviderSettings(
        api_key=Secret("sk-canary-0123456789"),
        proxy="http://me:canary-word@proxy:1",
        base_url="http://me:canary-word@host/v1",
        headers={"authorization": "canary-header"},
    )

    shown = repr(Settings(providers={"desk": provider}))

    assert "canary" not in shown


def test_headers_are_a_named_set_or_a_table_of_extra_ones() -> None:
    assert ProviderSettings().header_set == "aligned"
    assert ProviderSettings(headers="minimal").header_set == "minimal"
    assert ProviderSettings(headers="minimal").extra_headers == {}
    assert ProviderSettings(headers={"x-team": "docs"}).extra_headers == {"x-team": "docs"}
    assert ProviderSettings(headers={"x-team": "docs"}).header_set == "aligned"


def test_a_provider_has_every_leaf_of_upstream() -> None:
    upstream = Settings().upstream
    assert upstream_leaves(ProviderSettings(**upstream_leaves(upstream))) == upstream_leaves(upstream)


def test_what_changes_nothing_yet_is_known() -> None:
    idle = {path for path, leaf in spec_of(Settings).leaves() if not leaf.note.is_in_effect}
    provider = {path[0] for path, leaf in spec_of(ProviderSettings).leaves() if not leaf.note.is_in_effect}

    assert idle == set()
    assert provider == {"telemetry"}
