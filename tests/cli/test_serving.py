"""What `serve` decides before it listens, and what it shows."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from iflow_cli_proxy.cli import serving
from iflow_cli_proxy.cli.serving import ServePlan, _announce, _demo_delay_s, _to_copy, run_plan
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.live import Live
from iflow_cli_proxy.config.load import with_upstream
from iflow_cli_proxy.config.schema import AuthSettings, ProviderSettings, Settings
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.wiring.services import Services
from tests.support.raw_upstream import RawUpstream, answer
from tests.support.saved_accounts import saved_account

LISTENER: Final[Any] = SimpleNamespace(urls=("http://[::1]:28000",), host="::1", port=28000)
LIST: Final = b'{"object":"list","data":[{"id":"it\'s-1","object":"model"}]}'


def plan(tmp_path: Path, *, is_demo: bool = True, **flags: object) -> ServePlan:
    return ServePlan(session=Session({"IFLOW2API_HOME": str(tmp_path)}), flags=flags, is_demo=is_demo)


@pytest.mark.parametrize(
    ("key", "param"),
    [("", "auth.client_keys"), ("short", "auth.client_keys")],
    ids=["no key at all", "a key that can be guessed"],
)
async def test_a_public_address_needs_a_long_client_key(tmp_path: Path, key: str, param: str) -> None:
    flags: dict[str, object] = {"server.host": "0.0.0.0", "server.port": 0}
    if key:
        (tmp_path / "config.toml").write_text(f'[auth]\nclient_keys = ["{key}"]\n')
    with pytest.raises(ConfigError) as raised:
        await run_plan(plan(tmp_path, **flags))
    assert raised.value.param == param
    assert raised.value.hint
    assert "short" not in raised.value.message


async def test_several_workers_are_refused_before_anything_listens(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        await run_plan(plan(tmp_path, **{"server.workers": 3}))
    assert raised.value.param == "--workers"


async def test_a_provider_that_cannot_be_built_ends_it_with_the_setting_at_fault(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[providers.desk]\nkind = "olama"\n')
    with pytest.raises(ConfigError) as raised:
        await run_plan(plan(tmp_path, is_demo=False))
    assert raised.value.param == "providers.desk.kind"
    assert "ollama" in raised.value.hint


# --- what it shows ------------------------------------------------------------------------------------------------


def services(tmp_path: Path, settings: Settings) -> Services:
    session = Session({"IFLOW2API_HOME": str(tmp_path)})
    return Services(Live(settings), session.paths(), {}, home=tmp_path)


async def test_the_panel_waits_for_the_first_list_and_the_ready_file_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_FIRST_LIST_WITHIN_S", 20)
    ready = tmp_path / "ready.json"
    told = ServePlan(session=Session({"IFLOW2API_HOME": str(tmp_path)}), flags={}, ready_file=ready)
    async with RawUpstream([answer(LIST)]) as upstream:
        wired = services(tmp_path, with_upstream(Settings(), f"{upstream.url}/v1"))
        telling = asyncio.create_task(_announce(told, wired, LISTENER))
        await asyncio.sleep(0)
        assert ready.exists()
        assert capsys.readouterr().err == ""
        await wired.list_upstream_models()
        await telling
        await wired.aclose()
    shown = capsys.readouterr().err
    assert "it's-1" in shown


async def test_the_panel_tells_what_each_account_is_and_how_many_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = AccountStore(tmp_path / "accounts", clock=SystemClock())
    for place in range(9):
        store.create(saved_account(f"key-{place}", auth_type=AuthType.API_KEY, tokens=None))
    store.create(saved_account("mine", label="a-sign-in"))
    store.create(saved_account("ending", label="ending", state=AccountState.NEEDS_LOGIN))
    store.create(saved_account("gone", state=AccountState.NEEDS_LOGIN, is_refused=True))
    store.create(saved_account("off", state=AccountState.DISABLED))
    wired = services(tmp_path, Settings())
    await _announce(plan(tmp_path, is_demo=False), wired, LISTENER)
    await wired.aclose()
    shown = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert re.search(r"a-sign-in at \S+, a sign-in account", shown)
    assert re.search(r"key-0@example.com at \S+, an API key account", shown)
    assert re.search(r"ending at \S+, a sign-in, needs login account", shown)
    assert "and 3 more: iflow2api token list" in shown
    assert "not in use: 1 needs login, 1 disabled; see `iflow2api token list`" in shown


async def test_without_accounts_the_panel_names_the_ways_to_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wired = services(tmp_path, Settings())
    await _announce(plan(tmp_path, is_demo=False), wired, LISTENER)
    await wired.aclose()
    assert "none yet: `iflow2api login`, or start with" in " ".join(capsys.readouterr().err.split())


async def test_an_upstream_that_lists_nothing_does_not_hold_up_the_panel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_FIRST_LIST_WITHIN_S", 0)
    wired = services(tmp_path, with_upstream(Settings(), "http://127.0.0.1:1/v1"))
    await _announce(plan(tmp_path), wired, LISTENER)
    await wired.aclose()
    assert "whatever the upstream knows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"IFLOW2API_CLIENT_KEY": "sk-one-0123456789"}, "sk-one-0123456789"),
        ({"IFLOW2API_CLIENT_KEY": "sk-one-0123456789,sk-two-0123456789"}, "sk-one-0123456789"),
        ({}, "YOUR_CLIENT_KEY"),
    ],
    ids=["one key", "several keys", "keys of the file"],
)
async def test_a_shell_reads_the_lines_to_copy_as_they_are_meant(
    tmp_path: Path, environ: dict[str, str], key: str
) -> None:
    settings = Settings(auth=AuthSettings(required="always", client_keys=(Secret("sk-one-0123456789"),)))
    desk = ProviderSettings(base_url="http://127.0.0.1:1/v1", models=("it's-1",))
    wired = services(tmp_path, replace(settings, providers={"desk": desk}))
    *notes, export, curl = _to_copy(wired.wired, LISTENER, environ)
    await wired.aclose()

    async def printed(line: str) -> list[str]:
        shell = await asyncio.create_subprocess_exec(
            "sh", "-c", line, env={"PATH": "/bin:/usr/bin", **environ}, stdout=asyncio.subprocess.PIPE
        )
        return (await shell.communicate())[0].decode().splitlines()

    assert await printed(f'{export}; echo "$OPENAI_BASE_URL"; echo "$OPENAI_API_KEY"') == [
        "http://[::1]:28000/v1",
        key,
    ]
    arguments = await printed(curl.replace("curl", "printf '%s\\n'", 1))
    assert f"Authorization: Bearer {key}" in arguments
    assert "http://[::1]:28000/v1/chat/completions" in arguments
    assert arguments[-1].startswith('{"model":"it\'s-1",')
    assert "'http://[::1]:28000/v1'" in export, "zsh takes bare brackets for a pattern"
    assert "'http://[::1]:28000/v1'" in curl
    assert bool(notes) is (not environ)
    assert all("iflow2api config get auth.client_keys --reveal" in note for note in notes)
    assert "sk-one" not in "".join((*notes, export, curl))


@pytest.mark.parametrize(
    ("auth", "names", "shown", "hint"),
    [
        (AuthSettings(), ("ci",), "none needed here", ""),
        (AuthSettings(required="always"), ("ci", "team"), "ci, team", "the secret of ci, shown when it was made"),
        (
            AuthSettings(required="always", client_keys=(Secret("sk-one-0123456789"),)),
            ("ci",),
            "sk-…6789, ci",
            "iflow2api config get auth.client_keys --reveal",
        ),
        (
            AuthSettings(required="always"),
            tuple(f"key-{number}" for number in range(9)),
            "key-5 and 3 more: iflow2api key list",
            "key create NAME",
        ),
        (AuthSettings(required="always", accept_account_ids=True), (), "the id of an account", "token list --json"),
        (AuthSettings(required="always"), (), "none can be used: iflow2api key list", "key create NAME"),
    ],
    ids=["none needed", "of the key file", "of both", "many", "ids of accounts", "all revoked"],
)
async def test_the_panel_names_the_keys_that_open_the_door_and_no_secret(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    auth: AuthSettings,
    names: tuple[str, ...],
    shown: str,
    hint: str,
) -> None:
    wired = services(tmp_path, Settings(auth=auth))
    await _announce(plan(tmp_path, is_demo=False), wired, LISTENER, names)
    await wired.aclose()
    text = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert f"key {shown}" in text or (len(names) == 9 and shown in text)
    assert hint in text
    assert ("YOUR_CLIENT_KEY" in text) is bool(hint)
    assert "sk-one" not in text


@pytest.mark.parametrize(("text", "delay_s"), [("", None), ("0", 0.0), ("250", 0.25)])
def test_tests_may_set_the_pace_of_the_demo(text: str, delay_s: float | None) -> None:
    assert _demo_delay_s({"IFLOW2API_DEMO_DELAY_MS": text}) == delay_s


@pytest.mark.parametrize("text", ["-1", "fast", "nan"])
def test_a_pace_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="IFLOW2API_DEMO_DELAY_MS"):
        _demo_delay_s({"IFLOW2API_DEMO_DELAY_MS": text})


# --- the admin page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "opened"),
    [
        ("http://127.0.0.1:28000/admin", ["http://127.0.0.1:28000/admin"]),
        ("http://127.0.0.1:28000/admin#setup=canary-token", ["http://127.0.0.1:28000/admin"]),
        ("", []),
    ],
    ids=["a page", "a first run", "no page"],
)
async def test_i32_a_browser_is_started_with_the_page_and_never_with_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, opened: list[str]
) -> None:
    found: list[str] = []
    monkeypatch.setattr(serving, "open_page", lambda url, environ: found.append(url))
    wired = services(tmp_path, Settings())
    await _announce(replace(plan(tmp_path, is_demo=False), opens_page=True, is_quiet=True), wired, LISTENER, (), page)
    await wired.aclose()

    assert found == opened


@pytest.mark.parametrize(
    ("host", "page", "warns"),
    [
        ("0.0.0.0", "http://127.0.0.1:28000/admin", True),
        ("192.168.1.7", "http://192.168.1.7:28000/admin", True),
        ("::", "", False),
        ("127.0.0.1", "http://127.0.0.1:28000/admin", False),
        ("::1", "http://[::1]:28000/admin", False),
    ],
)
async def test_a_page_that_others_can_reach_in_clear_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str, page: str, warns: bool
) -> None:
    wired = services(tmp_path, Settings())
    listener: Any = SimpleNamespace(urls=("http://127.0.0.1:28000",), host=host, port=28000)
    await _announce(replace(plan(tmp_path, is_demo=False), is_quiet=True), wired, listener, (), page)
    await wired.aclose()

    assert ("in clear" in caplog.text) is warns
