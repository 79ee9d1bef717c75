"""`serve` from the outside: flags, the ready file, refusals and what a person sees."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
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


def test_the_printed_lines_name_a_model_that_an_upstream_by_url_really_has(demo, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    running, _ = demo
    with serving("--upstream", f"{running.url}/v1", home=tmp_path) as second:
        line = _shown(second.log, "curl ")
    assert '"model":"glm-5"' in line


def test_the_first_of_several_client_keys_is_in_the_line_to_paste(tmp_path: Path) -> None:
    import subprocess

    keys = {"IFLOW2API_CLIENT_KEY": "sk-client-0123456789,sk-other-0123456789"}
    with serving("--demo", home=tmp_path, env={**keys, "IFLOW2API_AUTH_REQUIRED": "always"}) as running:
        line = _shown(running.log, "curl ")
        pasted = subprocess.run(
            ["sh", "-c", line], capture_output=True, timeout=20, check=True, env={**os.environ, **keys}
        )
    assert pasted.stdout.rstrip().endswith(b"data: [DONE]")


def test_the_line_to_paste_says_how_to_see_keys_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[auth]\nrequired = "always"\nclient_keys = ["sk-client-0123456789"]\n')
    with serving("--demo", home=tmp_path) as running:
        note = _shown(running.log, "# YOUR_CLIENT_KEY ")
    command = note.partition("iflow2api ")[2].split()
    assert "sk-client-0123456789" in run_cli(*command, env={"IFLOW2API_HOME": str(tmp_path)}).out


def _shown(log: Path, start: str) -> str:
    """The line of the screen that begins so; it may come a moment after the ready file."""
    ends_at = time.monotonic() + 5
    while time.monotonic() < ends_at:
        for line in log.read_text("utf-8").splitlines():
            if line.startswith(start):
                return line
        time.sleep(0.02)
    raise AssertionError(f"no line begins with {start!r}:\n{log.read_text('utf-8')}")


def test_the_screen_shows_url_account_models_and_export_line(demo) -> None:  # type: ignore[no-untyped-def]
    running, _ = demo
    screen = running.log.read_text("utf-8")
    assert f"{running.url}/v1" in screen
    assert "glm-5" in screen
    assert f"export OPENAI_BASE_URL={running.url}/v1" in screen


def test_the_demo_s_own_ledger_can_be_asked_as_the_screen_says(demo) -> None:  # type: ignore[no-untyped-def]
    running, _ = demo
    home = _shown(running.log, "what became of a request").rpartition("IFLOW2API_HOME=")[2].split()[0]
    urllib.request.urlopen(
        urllib.request.Request(
            f"{running.url}/v1/chat/completions",
            b'{"model":"glm-5","messages":[{"role":"user","content":"hi"}]}',
            {"content-type": "application/json", "x-request-id": "asked-once"},
        )
    ).close()
    ends_at = time.monotonic() + 10.0
    while (got := run_cli("explain", "asked-once", env={"IFLOW2API_HOME": home})).code:
        assert time.monotonic() < ends_at, got.err
    assert "asked-once  200 ok" in got.out


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
    assert got.code == 2
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


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--port", "70000"), "--port takes a whole number between 0 and 65535"),
        (("--log-level", "loud"), "--log-level takes one of"),
        (("--host", ""), "--host takes an address such as 127.0.0.1"),
    ],
)
def test_a_bad_flag_is_named_as_it_was_typed(tmp_path: Path, flags: tuple[str, ...], words: str) -> None:
    got = run_cli("serve", *flags, env={"IFLOW2API_HOME": str(tmp_path)})
    assert got.code == 2
    assert words in got.err
    assert "config validate" not in got.err


def test_an_upstream_with_a_password_in_its_url_is_refused_without_repeating_it(tmp_path: Path) -> None:
    got = run_cli("serve", "--upstream", "http://u:secretpw@127.0.0.1/v1", env={"IFLOW2API_HOME": str(tmp_path)})
    assert got.code == 2
    assert "--ask-key" in got.err
    assert "secretpw" not in got.err


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
