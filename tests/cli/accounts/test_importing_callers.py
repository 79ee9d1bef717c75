"""`token import` of a pool: its client keys, how they pick accounts, and the retries of its owner."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from iflow_cli_proxy.state.keys import KeyFile
from tests.support.cli import CliResult, run_cli

POOL: dict[str, Any] = {
    "accounts": {
        "acc1": {"api_key": "sk-pool456789abcdef", "label": "first"},
        "acc2": {"api_key": "sk-pool567890abcdef"},
        "acc3": {"api_key": "enc:gAAAA"},
    },
    "keys": {
        "sk-local-one-account": {"account": "acc1"},
        "sk-local-in-their-turn": {"accounts": ["acc1", "acc2"], "strategy": "round_robin"},
        "sk-local-of-a-lost-account": {"account": "acc3"},
    },
    "auth": {"enabled": True, "required": True},
    "resilience": {"retry_attempts": 2, "retry_status_codes": [429, 503]},
}


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours = folder / "ours"
        self.env = {"HOME": str(folder), "IFLOW2API_HOME": str(self.ours)}
        self.file = folder / "keys.json"

    def take(self, *flags: str, tree: dict[str, Any] | None = None) -> CliResult:
        self.file.write_bytes(jsonx.encode(tree or POOL))
        return run_cli("token", "import", str(self.file), *flags, env=self.env)

    @property
    def keys(self) -> dict[str, ClientKey]:
        return {key.name: key for key in KeyFile(self.ours / "keys.toml").load().keys}

    @property
    def overrides(self) -> dict[str, Any]:
        path = self.ours / "overrides.toml"
        return tomllib.loads(path.read_text()) if path.exists() else {}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_keys_come_with_their_accounts_and_the_settings_with_them(home: Home) -> None:
    done = home.take("--json")

    assert done.code == 3, "acc3 cannot be read"
    one, turn = home.keys["imported-1"], home.keys["imported-2"]
    assert one.digest == digest_of("sk-local-one-account")
    assert (one.accounts, one.pool) == (("iflow/first",), "")
    assert (turn.accounts, turn.pool) == ((), "imported-2")
    assert home.overrides == {
        "pools": {"imported-2": {"accounts": ["iflow/first", "iflow/acc2"], "strategy": "round_robin"}},
        "resilience": {"retry_attempts": 2, "retry_status_codes": [429, 503]},
        "auth": {"required": "always"},
    }
    assert [(key["name"], key["result"], key["pool"]) for key in done.json["client_keys"]] == [
        ("imported-1", "imported", None),
        ("imported-2", "imported", "imported-2"),
    ]
    assert done.json["settings"]["resilience.retry_attempts"] == 2
    assert any("client key 3 is left out: none of its accounts" in note for note in done.json["notes"])
    assert run_cli("config", "validate", env=home.env).code == 0


def test_the_second_time_nothing_is_new(home: Home) -> None:
    home.take()
    keys, overrides = home.keys, home.overrides

    done = home.take("--json")

    assert {key["result"] for key in done.json["client_keys"]} == {"already_there"}
    assert done.json["settings"] == {}
    assert (home.keys, home.overrides) == (keys, overrides)


def test_what_somebody_chose_here_stays_and_is_said(home: Home) -> None:
    assert run_cli("config", "set", "resilience.retry_attempts", "0", env=home.env).code == 0

    done = home.take()

    assert home.overrides["resilience"]["retry_attempts"] == 0
    assert "resilience.retry_attempts stays 0" in done.err


def test_a_rehearsal_shows_keys_and_settings_and_writes_neither(home: Home) -> None:
    done = home.take("--dry-run")

    assert "imported-1" in done.out
    assert "Would save resilience.retry_attempts = 2" in done.err
    assert (home.keys, home.overrides) == ({}, {})


def test_keys_are_kept_with_their_limits_when_the_settings_cannot_be_written(home: Home) -> None:
    home.ours.mkdir()
    (home.ours / "config.toml").write_text('[providers.lab]\nca_file = "none.pem"\nbase_url = "https://h"\n')

    done = home.take(tree={**POOL, "accounts": {"acc1": POOL["accounts"]["acc1"]}})

    assert done.code == 3
    assert "would not start with this" in done.err
    assert home.keys["imported-1"].accounts == ("iflow/first",)
    assert home.overrides == {}


def test_no_secret_of_a_key_is_told_or_kept(home: Home) -> None:
    outputs = [home.take(*flags) for flags in (["--dry-run"], ["--json"], [])]
    kept = (home.ours / "keys.toml").read_text()

    assert not any("sk-local" in text for done in outputs for text in (done.out, done.err, kept))
