from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.client_key import Caller, allowed_accounts, digest_of
from iflow_cli_proxy.signin.foreign.client_keys import ForeignKeys, read_foreign_keys, with_pools
from iflow_cli_proxy.state.keys import KeyFile

ACCOUNTS = {"acc1": "iflow/first", "acc2": "iflow/two [b]*"}
TREE: dict[str, Any] = {
    "auth": {"enabled": True, "required": True},
    "resilience": {
        "enabled": True, "failure_threshold": 4, "cool_down_seconds": 12.5, "retry_attempts": 2,
        "retry_backoff_ms": 300, "retry_status_codes": [429, 503],
    },
    "accounts": {"acc1": {}, "acc2": {}},
    "keys": {
        "sk-local-a": {"account": "acc1"},
        "sk-local-pool": {"accounts": ["acc1", "acc2"], "strategy": "least_busy"},
        "sk-local-turn": {"accounts": ["acc2", "acc1"], "strategy": "round_robin"},
    },
    "default": {"account": "acc1"},
}  # fmt: skip
POOL = [
    Account(id="1", provider="iflow", label="first"),
    Account(id="2", provider="iflow", label="two [b]*"),
    Account(id="3", provider="iflow", label="two b, another"),
]


def read(**changes: Any) -> ForeignKeys:
    return read_foreign_keys({**TREE, **changes}, ACCOUNTS, now=7.0)


def test_keys_come_with_their_accounts_under_the_names_those_have_here() -> None:
    found = read()

    assert [key.digest for key in found.keys] == [digest_of(secret) for secret in TREE["keys"]]
    assert [key.name for key in found.keys] == ["imported-1", "imported-2", "imported-3"]
    allowed = [allowed_accounts(Caller(key=key), POOL, {}) for key in found.keys]
    assert allowed == [{"1"}, {"1", "2"}, {"1", "2"}]
    assert {key.created_at for key in found.keys} == {7.0}


def test_a_strategy_that_is_not_the_usual_one_becomes_a_pool(tmp_path: Path) -> None:
    found = read()
    file = KeyFile(tmp_path / "keys.toml")

    kept, pools = with_pools(found, file.take_over(found.keys))

    assert found.strategies == {"imported-3": "round_robin"}
    assert [key.pool for key in kept] == ["", "", "imported-3"]
    ((name, table),) = pools
    assert name == ("pools", "imported-3")
    assert table["strategy"] == "round_robin"
    globs = {"imported-3": tuple(table["accounts"])}
    assert allowed_accounts(Caller(key=kept[2]), POOL, globs) == {"1", "2"}


def test_a_pool_bears_the_name_its_key_is_kept_by(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys.toml")
    file.take_over(
        read(keys={"sk-earlier": {"account": "acc1"}, "b": {"account": "acc1"}, "c": {"account": "acc1"}}).keys
    )

    kept, pools = with_pools(read(), file.take_over(read().keys))

    assert [key.pool for key in kept] == ["", "", "imported-3-2"]
    assert [name for name, _ in pools] == [("pools", "imported-3-2")]


def test_resilience_and_required_keys_are_settings_here() -> None:
    assert read().settings == (
        (("resilience", "failure_threshold"), 4),
        (("resilience", "cool_down_s"), 12.5),
        (("resilience", "retry_attempts"), 2),
        (("resilience", "retry_backoff_ms"), 300),
        (("resilience", "retry_status_codes"), [429, 503]),
        (("auth", "required"), "always"),
    )


def test_every_setting_is_one_the_configuration_takes() -> None:
    import tomli_w

    from iflow_cli_proxy.config.load import ConfigText, load

    tree: dict[str, Any] = {}
    found = read()
    _, pools = with_pools(found, found.keys)
    for name, value in (*found.settings, *pools):
        table = tree
        for part in name[:-1]:
            table = table.setdefault(part, {})
        table[name[-1]] = value

    settings, _ = load(config=ConfigText("overrides.toml", tomli_w.dumps(tree)))

    assert settings.resilience.cool_down_s == 12.5
    assert settings.resilience.retry_status_codes == (429, 503)
    assert settings.pools["imported-3"].strategy == "round_robin"


@pytest.mark.parametrize(
    "entry",
    [5, None, [], {"account": "gone"}, {"accounts": ["gone"]}, {"account": "acc1", "strategy": "cleverest"}],
)
def test_a_key_that_is_not_understood_is_left_out_and_never_opens_everything(entry: Any) -> None:
    found = read(keys={"sk-secret-word": entry}, default={})

    assert found.keys == ()
    assert [note for note in found.notes if "client key 1 is left out" in note]
    assert not any("sk-secret" in note for note in found.notes)
    assert (("auth", "required"), "always") not in found.settings


@pytest.mark.parametrize(("default", "count"), [({"account": "acc1"}, 1), ({}, 0), (None, 0), ({"account": 5}, 0)])
def test_a_key_without_accounts_has_those_of_the_default(default: Any, count: int) -> None:
    assert len(read(keys={"sk-secret-word": {}}, default=default).keys) == count


@pytest.mark.parametrize("secret", ["", " ", " sk-a", "x" * 5000])
def test_a_secret_nobody_could_send_is_left_out(secret: str) -> None:
    assert read(keys={secret: {"account": "acc1"}}).keys == ()


def test_a_short_key_is_taken_with_a_warning_that_does_not_show_it() -> None:
    found = read(keys={"sk-a": {"account": "acc1"}, "sk-long-enough": {"account": "acc1"}})

    assert len(found.keys) == 2
    assert [note for note in found.notes if "guessed" in note] == [
        "client key 1 is short enough to be guessed: iflow2api key rotate imported-1"
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resilience": {"enabled": False}}, "switched off"),
        ({"resilience": {"failure_threshold": True}}, "resilience.failure_threshold"),
        ({"resilience": {"retry_attempts": 1.5}}, "resilience.retry_attempts"),
        ({"resilience": {"retry_attempts": 99}}, "resilience.retry_attempts"),
        ({"resilience": {"retry_status_codes": [200]}}, "resilience.retry_status_codes"),
        ({"auth": {"enabled": False}}, "not checked"),
    ],
)
def test_what_has_no_place_here_is_told(changes: dict[str, Any], words: str) -> None:
    found = read(**changes)

    assert any(words in note for note in found.notes)
    assert not any(name[0] in changes for name, _ in found.settings)


@pytest.mark.parametrize("tree", [{}, {"keys": []}, {"keys": None, "auth": 5, "resilience": [], "default": 1}])
def test_a_file_without_any_of_it_says_nothing(tree: dict[str, Any]) -> None:
    assert read_foreign_keys(tree, {}, now=0.0) == ForeignKeys()
