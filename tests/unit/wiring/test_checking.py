"""Settings that cannot be served are refused, by name, before they are in force."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount
from iflow_cli_proxy.wiring.checking import checked
from tests.support.gateway import settings_from, upstream_table
from tests.support.wiring import around, keep, qwen_account, services


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


def test_settings_that_can_be_served_come_back(tmp_path: Path) -> None:
    settings = settings_from(upstream_table("http://127.0.0.1:1/v1"))
    assert checked(settings, *around(tmp_path)) is settings


def test_a_default_provider_may_be_one_that_only_an_account_stands_for(tmp_path: Path) -> None:
    settings = settings_from('[routing]\ndefault_provider = "openrouter"\n')
    with pytest.raises(ConfigError):
        checked(settings, *around(tmp_path))
    key = SavedAccount(
        id="one", provider="openrouter", label="one", auth_type=AuthType.API_KEY, api_key=Secret("sk-of-one")
    )
    keep(tmp_path, key)
    assert checked(settings, *around(tmp_path)) is settings


def test_accounts_that_cannot_be_read_are_not_the_settings_fault(tmp_path: Path) -> None:
    paths, variables = around(tmp_path)
    paths.accounts_dir.parent.mkdir(parents=True, exist_ok=True)
    paths.accounts_dir.touch()
    settings = settings_from("")
    assert checked(settings, paths, variables) is settings


def test_a_sign_in_table_that_is_not_complete_is_refused(tmp_path: Path) -> None:
    settings = settings_from(
        upstream_table("http://127.0.0.1:1/v1", more='[providers.up.oauth]\nclient_id = "only this"\n')
    )
    with pytest.raises(ConfigError) as raised:
        checked(settings, *around(tmp_path))
    assert (raised.value.param or "").startswith("providers.up.oauth")


UUID = "0b9f3c1e-8f2d-4b7a-9c3d-1e2f3a4b5c6d"


@pytest.mark.parametrize(
    ("id", "state", "is_key"),
    [
        (UUID, AccountState.OK, True),
        (UUID, AccountState.DISABLED, False),
        ("work", AccountState.OK, False),
        ("", AccountState.OK, False),
    ],
    ids=["a good one", "switched off", "a word", "none"],
)
def test_ids_of_accounts_are_keys_where_there_is_one_that_is(
    tmp_path: Path, id: str, state: AccountState, is_key: bool
) -> None:
    if id:
        keep(tmp_path, qwen_account(id, state=state))
    settings = settings_from('[auth]\nrequired = "always"\naccept_account_ids = true\n')
    if is_key:
        assert checked(settings, *around(tmp_path)) is settings
    else:
        with pytest.raises(ConfigError, match="no client key"):
            checked(settings, *around(tmp_path))
