"""`demo` as a process of its own, ended the way a person ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.cli import run_cli
from tests.support.serving import surroundings

PATIENCE_S = 20


@contextmanager
def running(home: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "iflow_cli_proxy", "demo", *flags]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=home, env=surroundings(home), **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[str, str]:
    """What it still said on stdout and all it said on stderr."""
    process.send_signal(number)
    return process.communicate(timeout=PATIENCE_S)


def test_it_prints_the_tables_to_paste_and_leaves_in_peace_at_ctrl_c(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        assert process.stderr is not None
        remarks = process.stderr.readline()
        shown, _ = end(process)

    tables = tomllib.loads(shown)["providers"]
    assert set(tables["iflow"]["oauth"]) == {"authorize_url", "token_url", "userinfo_url"}
    assert set(tables["qwen"]["oauth"]) == {"device_url", "token_url"}
    assert tables["standard"]["oauth"]["client_id"] == "demo-client"
    assert "iflow2api login iflow" in remarks
    assert process.returncode == 0


def test_its_json_leads_to_a_server_that_obeys_the_flags(tmp_path: Path) -> None:
    with running(tmp_path, "--json", "--token-lifetime", "7", "--auto-approve") as process:
        assert process.stdout is not None
        found = jsonx.decode(process.stdout.readline().encode())
        query = "loginMethod=phone&type=phone&state=s&client_id=10009311001&redirect=http%3A%2F%2Flocalhost%3A1%2Fcb"
        opener = urllib.request.build_opener(_NoRedirect)
        with pytest.raises(urllib.error.HTTPError) as sent_back:
            opener.open(f"{found['providers']['iflow']['oauth']['authorize_url']}?{query}", timeout=5)
        sent_back.value.close()
        end(process, signal.SIGTERM)

    assert sent_back.value.headers["Location"].startswith("http://localhost:1/cb?code=")
    assert set(found) == {"url", "key", "providers"}
    assert process.returncode == 0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def test_a_taken_port_is_told_with_the_way_out(tmp_path: Path) -> None:
    with running(tmp_path, "--json") as process:
        assert process.stdout is not None
        port = jsonx.decode(process.stdout.readline().encode())["url"].rpartition(":")[2]
        got = run_cli("demo", "--port", port)

    assert got.code == 2
    assert f"Port {port}" in got.err
    assert "--port 0" in got.err


@pytest.mark.parametrize("flags", [("--port", "70000"), ("--token-lifetime", "-1"), ("--token-lifetime", "x")])
def test_wrong_flags_are_wrong_usage(flags: tuple[str, ...]) -> None:
    assert run_cli("demo", *flags).code == 2
