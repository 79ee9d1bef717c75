"""Where a model would go, as text and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.cli.routing import show_route
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.demo.run import start_demo
from iflow_cli_proxy.pool.saved import AccountState, AuthType
from iflow_cli_proxy.state.accounts import AccountStore
from tests.support.cli import CliResult, run_cli
from tests.support.saved_accounts import saved_account

CONFIG = """
[routing]
default_provider = "desk"
fallbacks = { "m-1" = ["far/m-2", "desk/m-3"] }
[models.aliases]
"claude-*" = "m-1"
[providers.desk]
base_url = "http://127.0.0.1:1/v1"
models = ["m-1"]
[providers.far]
base_url = "https://far.example/v1"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def _ask(home: Path, *args: str) -> CliResult:
    around = {"IFLOW2API_HOME": str(home), "IFLOW_HOME": str(home / "none"), "HOME": str(home)}
    return run_cli("models", "--route", *args, env=around)


def _keep(home: Path, id: str, provider: str, **changes: Any) -> None:
    key = {"auth_type": AuthType.API_KEY, "tokens": None, "api_key": Secret(f"sk-key-of-{id}")}
    AccountStore(home / "accounts", clock=SystemClock()).create(
        saved_account(id, **{"provider": provider, "label": id, "base_url": "", **key, **changes})
    )


def test_a_person_reads_the_steps_and_who_could_serve(home: Path) -> None:
    _keep(home, "work", "far")
    _keep(home, "old", "far", state=AccountState.NEEDS_LOGIN, is_refused=True)
    _keep(home, "tired", "far", state=AccountState.COOLING, rests_until=SystemClock().now() + 3600)
    got = _ask(home, "claude-opus")
    assert got.code == 0
    lines = got.out.splitlines()
    assert lines[0] == "1. `claude-opus` is an alias of `m-1`: models.aliases has `claude-*`."
    far = next(line for line in lines if line.startswith("far/m-2"))
    assert "work" in far
    assert "old (needs login)" in far
    assert "tired (rests for " in far
    assert far.endswith("fallback")
    assert "sk-key" not in got.out


def test_a_script_reads_the_same_in_a_stable_shape(home: Path) -> None:
    _keep(home, "work", "far")
    _keep(home, "off", "far", state=AccountState.DISABLED)
    got = _ask(home, "m-1", "--json")
    assert got.code == 0
    assert set(got.json) == {"model", "steps", "routes", "problems"}
    assert [(row["provider"], row["model"]) for row in got.json["routes"]] == [
        ("desk", "m-1"),
        ("far", "m-2"),
        ("desk", "m-3"),
    ]
    assert got.json["routes"][1] == {
        "provider": "far",
        "model": "m-2",
        "listed": False,
        "fallback": True,
        "context_window": 0,
        "accounts": [
            {"id": "off", "label": "off", "state": "disabled", "usable": False},
            {"id": "work", "label": "work", "state": "ok", "usable": True},
        ],
    }


def test_where_nobody_could_serve_the_exit_code_says_whether_a_sign_in_would_help(home: Path) -> None:
    _keep(home, "tired", "far", state=AccountState.COOLING, rests_until=SystemClock().now() + 3600)
    resting = _ask(home, "far/m-2")
    assert resting.code == 1
    assert "iflow2api token list" in resting.err
    _keep(home, "old", "far", state=AccountState.NEEDS_LOGIN, is_refused=True)
    assert _ask(home, "far/m-2").code == 4


def test_a_model_that_goes_nowhere_is_an_error_with_the_nearest_name(home: Path) -> None:
    (home / "config.toml").write_text(CONFIG.replace("[routing]", '[routing]\nunknown_models = "reject"'))
    got = _ask(home, "m-11")
    assert (got.code, got.out) == (1, "")
    assert "`m-1`" in got.err


def test_control_characters_in_a_name_do_not_reach_the_terminal(home: Path) -> None:
    got = _ask(home, "m\x1b[31m")
    assert "\x1b" not in got.out


async def test_the_upstreams_own_lists_count_when_they_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with await start_demo(delay_s=0) as demo:
        table = f'[providers.desk]\nbase_url = "{demo.url}"\napi_key = "{demo.key}"\n'
        (tmp_path / "config.toml").write_text(table + '[providers.gone]\nbase_url = "http://127.0.0.1:1/v1"\n')
        session = Session({"IFLOW2API_HOME": str(tmp_path)})
        for asks in (False, True):
            await show_route(session, "glm-5", "", asks_upstreams=asks, as_json=False)
    said = capsys.readouterr()
    assert "Nobody lists `glm-5`" in said.out
    assert "`glm-5` is listed by desk." in said.out
    assert "gone: " in said.err
