"""`serve` from the outside: flags, the ready file, refusals and what a person sees."""

from __future__ import annotations

import asyncio
import stat
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from iflow_cli_proxy.cli.serve import _fast_loop
from iflow_cli_proxy.core import jsonx
from tests.support.cli import run_cli
from tests.support.serving import serving


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    home = tmp_path_factory.mktemp("demo")
    with serving("--demo", home=home) as running:
        yield running, home


def _get(url: str) -> object:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return jsonx.decode(answer.read())


def test_the_ready_file_names_the_bound_urls_and_is_private(demo) -> None:  # type: ignore[no-untyped-def]
    running, home = demo
    ready = jsonx.decode((home / "ready.json").read_bytes())
    assert ready["urls"] == [running.url]
    assert ready["port"] == int(running.url.rsplit(":", 1)[1])
    assert stat.S_IMODE((home / "ready.json").stat().st_mode) == 0o600


def test_the_demo_is_ready_at_once_and_lists_models(demo) -> None:  # type: ignore[no-untyped-def]
    running, _ = demo
    assert _get(f"{running.url}/ready") == {"status": "ready", "accounts": 1}
    listed = _get(f"{running.url}/v1/models")
    assert "glm-5" in {row["id"] for row in listed["data"]}  # type: ignore[index,call-overload]


def test_the_printed_curl_line_works_when_pasted(demo) -> None:  # type: ignore[no-untyped-def]
    import subprocess

    running, _ = demo
    screen = running.log.read_text("utf-8")
    line = next(line for line in screen.splitlines() if line.startswith("curl "))
    pasted = subprocess.run(["bash", "-c", line], capture_output=True, timeout=20, check=True)
    assert pasted.stdout.rstrip().endswith(b"data: [DONE]")
    assert b'"content"' in pasted.stdout


def test_the_screen_shows_url_account_models_and_export_line(demo) -> None:  # type: ignore[no-untyped-def]
    running, _ = demo
    screen = running.log.read_text("utf-8")
    assert f"{running.url}/v1" in screen
    assert "glm-5" in screen
    assert f"export OPENAI_BASE_URL={running.url}/v1" in screen


@pytest.mark.parametrize("is_installed", [True, False])
def test_uvloop_is_used_when_it_is_there_and_not_missed_when_not(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    fake = SimpleNamespace(new_event_loop=asyncio.new_event_loop) if is_installed else None
    monkeypatch.setitem(sys.modules, "uvloop", fake)
    assert _fast_loop() is (asyncio.new_event_loop if is_installed else None)


def test_demo_and_upstream_exclude_each_other(tmp_path: Path) -> None:
    got = run_cli("serve", "--demo", "--upstream", "http://127.0.0.1:1/v1", env={"IFLOW2API_HOME": str(tmp_path)})
    assert got.code == 2
    assert "--demo" in got.err


def test_a_public_address_without_client_keys_is_refused_with_the_way_out(tmp_path: Path) -> None:
    got = run_cli("serve", "--demo", "--host", "0.0.0.0", "--port", "0", env={"IFLOW2API_HOME": str(tmp_path)})
    assert got.code == 1
    assert "IFLOW2API_CLIENT_KEY" in got.err


def test_more_than_one_worker_is_refused_with_the_reason(tmp_path: Path) -> None:
    got = run_cli("serve", "--demo", "--workers", "2", env={"IFLOW2API_HOME": str(tmp_path)})
    assert got.code == 1
    assert "Redis" in got.err


def test_a_broken_config_file_is_named_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nprot = 1\n")
    got = run_cli("serve", "--demo", env={"IFLOW2API_HOME": str(tmp_path)})
    assert got.code == 1
    assert "config.toml:2" in got.err
    assert "port" in got.err


def test_an_upstream_that_is_no_url_is_a_usage_error(tmp_path: Path) -> None:
    got = run_cli("serve", "--upstream", "localhost:9801", env={"IFLOW2API_HOME": str(tmp_path)})
    assert got.code == 2
    assert "http://" in got.err


def test_a_taken_port_says_so_and_suggests_the_next(demo, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    running, _ = demo
    port = running.url.rsplit(":", 1)[1]
    got = run_cli("serve", "--demo", "--port", port, env={"IFLOW2API_HOME": str(tmp_path)})
    assert got.code == 1
    assert f"Port {port} is taken" in got.err
    assert "--port" in got.err


def test_a_client_key_from_the_environment_is_asked_for_when_required(tmp_path: Path) -> None:
    env = {"IFLOW2API_CLIENT_KEY": "sk-client-0123456789", "IFLOW2API_AUTH_REQUIRED": "always"}
    with serving("--demo", home=tmp_path, env=env) as running:
        with pytest.raises(urllib.error.HTTPError) as refused:
            _get(f"{running.url}/v1/models")
        refused.value.close()
        assert refused.value.code == 401
        asked = urllib.request.Request(
            f"{running.url}/v1/models", headers={"Authorization": "Bearer sk-client-0123456789"}
        )
        with urllib.request.urlopen(asked, timeout=5) as answer:
            assert answer.status == 200
        assert "sk-client-0123456789" not in running.log.read_text("utf-8")
