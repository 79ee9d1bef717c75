from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.admin import Browser, admin_page, lines_of_the_page

NULL = 'models.parameters."glm-*".default'
SECRET = "sk-canary-0123456789abcdef"
TOML = f"""
[auth]
required = "always"
client_keys = ["{SECRET}"]
[models.aliases]
"claude-*" = "glm-5"
[models.parameters."glm-*"]
remove = ["logprobs"]
[pools.fast]
accounts = ["desk/*"]
[providers.desk]
base_url = "http://127.0.0.1:9/v1"
api_key = "{SECRET}-upstream"
headers = {{ "x-team" = "{SECRET}-header" }}
[upstream]
idle_timeout_s = 77
"""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with admin_page(TOML, {"IFLOW2API_ROUTING_STRATEGY": "sticky"}, home=tmp_path) as browser:
        yield browser


async def leaves(browser: Browser) -> dict[str, dict[str, Any]]:
    tables = (await browser.get("/admin/settings")).json["tables"]
    return {leaf["name"]: leaf for table in tables for leaf in table["leaves"]}


async def change(browser: Browser, **changes: object) -> Any:
    wanted = {name.replace("__", "."): value for name, value in changes.items()}
    return await browser.send("PATCH", "/admin/settings", {"changes": wanted})


async def test_every_setting_is_shown_with_what_a_form_needs(browser: Browser) -> None:
    shown = await leaves(browser)

    assert shown["server.drain_s"] == {
        "name": "server.drain_s", "type": "number", "value": 30, "default": 30, "origin": "default",
        "help": "Time for running answers to end after SIGTERM.", "choices": [], "low": 0, "high": 86_400.0,
        "needs_restart": False, "is_secret": False, "is_set": None, "is_in_effect": True, "locked": "",
    }  # fmt: skip
    assert (shown["server.port"]["origin"], shown["server.port"]["locked"]) == ("flag", "flag")
    assert shown["server.port"]["needs_restart"]
    assert (shown["routing.strategy"]["origin"], shown["routing.strategy"]["locked"]) == ("environment", "environment")
    assert (shown["logging.file"]["origin"], shown["logging.file"]["locked"]) == ("default", "terminal")
    assert shown["routing.strategy"]["type"] == "choice"
    assert "sticky" in shown["routing.strategy"]["choices"]
    assert (shown["models.aliases"]["type"], shown["models.aliases"]["value"]) == ("table", {"claude-*": "glm-5"})
    assert shown["models.aliases"]["origin"] == "config"
    assert shown["pools.fast.accounts"]["value"] == ["desk/*"]
    assert shown['models.parameters."glm-*".remove']["value"] == ["logprobs"]
    assert (shown["providers.desk.idle_timeout_s"]["value"], shown["providers.desk.idle_timeout_s"]["default"]) == (
        77,
        77,
    )
    assert shown["resilience.retry_status_codes"]["type"] == "list"
    assert {leaf["type"] for leaf in shown.values()} == {
        "text", "number", "integer", "boolean", "choice", "list", "table",
    }  # fmt: skip


async def test_i45_no_secret_is_shown(browser: Browser) -> None:
    shown = await leaves(browser)

    for name in ("auth.client_keys", "providers.desk.api_key", "providers.desk.headers"):
        assert (shown[name]["value"], shown[name]["default"]) == (None, None)
        assert shown[name]["is_secret"]
        assert shown[name]["is_set"]
    assert not shown["providers.desk.oauth.client_secret"]["is_set"]
    assert SECRET.encode() not in b"".join(browser.seen)


async def test_a_change_is_in_force_when_the_answer_comes(browser: Browser, tmp_path: Path) -> None:
    reply = await change(browser, server__drain_s=12, resilience__max_attempts=5, logging__files=7)

    assert reply.status == 200, reply.body
    assert set(reply.json["applied"]) == {"server.drain_s", "resilience.max_attempts"}
    assert reply.json["waiting_for_restart"] == ["logging.files"]
    live = browser.gateway.services.settings.current
    assert (live.server.drain_s, live.resilience.max_attempts) == (12, 5)
    shown = {leaf["name"]: leaf for table in reply.json["tables"] for leaf in table["leaves"]}
    assert (shown["server.drain_s"]["value"], shown["server.drain_s"]["origin"]) == (12, "overrides")
    assert tomllib.loads((tmp_path / "overrides.toml").read_text())["server"] == {"drain_s": 12}

    back = await change(browser, server__drain_s=None)
    assert back.json["applied"] == ["server.drain_s"]
    assert browser.gateway.services.settings.current.server.drain_s == 30


@pytest.mark.parametrize(
    ("changes", "status", "param", "kind"),
    [
        ({"server.drain_s": "soon"}, 400, "server.drain_s", "invalid_request"),
        ({"server.drain_s": -1}, 400, "server.drain_s", "invalid_request"),
        ({"server.drain_ss": 1}, 400, "server.drain_ss", "invalid_request"),
        ({"server": {}}, 400, "server", "invalid_request"),
        ({"server.access_log": 1}, 400, "server.access_log", "invalid_request"),
        ({"reasoning.thinking": "maybe"}, 400, "reasoning.thinking", "invalid_request"),
        ({"server.host": "0.0.0.0"}, 409, "server.host", "locked"),
        ({"routing.strategy": "weighted"}, 409, "routing.strategy", "locked"),
        ({"routing.strategy": None}, 409, "routing.strategy", "locked"),
        ({"security.encrypt": "keyring"}, 409, "security.encrypt", "terminal_only"),
        ({"logging.file": "/home/somebody/.profile"}, 409, "logging.file", "terminal_only"),
        ({"logging.bodies": "/home/somebody"}, 409, "logging.bodies", "terminal_only"),
        ({"providers.desk.api_key_env": "AWS_SECRET_KEY"}, 409, "providers.desk.api_key_env", "terminal_only"),
        ({"logging.file": None}, 409, "logging.file", "terminal_only"),
        ({"models.aliases": {"other": "x"}}, 409, "models.aliases", "in_config"),
        ({"models.aliases": {"claude-*": ""}}, 400, "models.aliases", "invalid_request"),
        ({NULL: {"x": None}}, 400, NULL, "invalid_request"),
        ({"upstream.proxy": "nonsense"}, 400, "upstream.proxy", "invalid_request"),
        ({"routing.default_provider": "nobody"}, 400, "routing.default_provider", "config"),
        ({"auth.client_keys": []}, 400, "auth.client_keys", "config"),
        ({"server.workers": 3}, 400, "server.workers", "config"),
        ({}, 400, "changes", "invalid_request"),
        ({"admin.hosts": ["http://x/"]}, 400, "admin.hosts", "invalid_request"),
        ({'server."x\n[admin]"': 1}, 400, 'server."x\n[admin]"', "invalid_request"),
    ],
)  # fmt: skip
async def test_i40_a_mistake_names_its_setting_and_saves_nothing(
    browser: Browser, changes: dict[str, object], status: int, param: str, kind: str, tmp_path: Path
) -> None:
    good = {"server.access_log": False} if changes and "server.access_log" not in changes else {}
    reply = await browser.send("PATCH", "/admin/settings", {"changes": {**good, **changes}})

    assert (reply.status, reply.json["error"]["param"], reply.kind) == (status, param, kind)
    assert not (tmp_path / "overrides.toml").exists()
    assert browser.gateway.services.settings.current.server.access_log


async def test_a_secret_can_be_replaced_and_is_not_shown(browser: Browser, tmp_path: Path) -> None:
    reply = await change(browser, providers__desk__api_key="sk-other-0123456789")

    assert reply.status == 200
    assert b"sk-other" not in b"".join(browser.seen)
    assert "sk-other" in (tmp_path / "overrides.toml").read_text()
    assert (tmp_path / "overrides.toml").stat().st_mode & 0o077 == 0


async def test_a_new_provider_is_a_change_like_any_other(browser: Browser) -> None:
    reply = await change(browser, providers__lab__base_url="http://127.0.0.1:8/v1")

    assert reply.status == 200, reply.body
    assert "lab" in browser.gateway.services.settings.current.providers
    assert any(table["name"] == "providers.lab" for table in reply.json["tables"])


async def test_aliases_are_replaced_as_a_whole(browser: Browser, tmp_path: Path) -> None:
    wanted = {"claude-*": "qwen3-max", "fast": "glm-4.7", "odd name.x": "glm-5"}
    assert (await browser.send("PUT", "/admin/models/aliases", {"aliases": wanted})).json == {"aliases": wanted}
    fewer = {"claude-*": "glm-5", "fast": "glm-4.7"}
    assert (await browser.send("PUT", "/admin/models/aliases", {"aliases": fewer})).json == {"aliases": fewer}
    saved = tomllib.loads((tmp_path / "overrides.toml").read_text())["models"]["aliases"]
    assert saved == {"fast": "glm-4.7"}
    await browser.send("PUT", "/admin/models/aliases", {"aliases": wanted})
    stuck = await browser.send("PUT", "/admin/models/aliases", {"aliases": {"fast": "glm-4.7"}})
    assert (stuck.status, stuck.kind) == (409, "in_config")
    for wrong in ({"aliases": {"a": 5}}, {"aliases": []}, {}):
        assert (await browser.send("PUT", "/admin/models/aliases", wrong)).status == 400


async def test_the_log_names_settings_and_never_values(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "iflow2api.admin"):
        await change(browser, providers__desk__api_key="sk-other-0123456789")

    assert [record.getMessage() for record in lines_of_the_page(caplog)] == [
        "admin: settings were changed: providers.desk.api_key"
    ]


async def test_a_config_file_with_a_mistake_is_told_of(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 'x'\n")
    for reply in (await browser.get("/admin/settings"), await change(browser, server__drain_s=1)):
        assert reply.status == 400
        assert "server.port" in reply.json["error"]["message"]


async def test_without_files_nothing_can_be_changed(browser: Browser) -> None:
    browser.gateway.server.desk.steering = None

    assert (await browser.get("/admin/settings")).kind == "no_files"
    assert (await change(browser, server__drain_s=1)).kind == "no_files"
