"""The first minutes with the program: what `serve --demo` prints is pasted into a shell and works."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Final

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.serving import THIS_PYTHON, Running, serving, surroundings

ROOT: Final = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving("--demo", home=tmp_path_factory.mktemp("demo")) as running:
        yield running


def pasted(log: str, first_word: str) -> str:
    """The command that begins with a word at the left edge, with the lines it continues on, as a person marks it."""
    lines = log.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith(f"{first_word} ")]
    assert starts, f"no line begins with {first_word}, so nobody can paste it:\n{log}"
    end = starts[0]
    while lines[end].endswith("\\"):
        end += 1
    return "\n".join(lines[starts[0] : end + 1])


def post(url: str, body: object) -> HTTPResponse:
    request = urllib.request.Request(
        f"{url}/v1/chat/completions", data=jsonx.encode(body), headers={"Content-Type": "application/json"}
    )
    reply = urllib.request.urlopen(request, timeout=20)
    assert isinstance(reply, HTTPResponse)
    return reply


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("sh") is None, reason="no curl or no sh here")
def test_the_printed_curl_line_streams_an_answer_when_pasted(demo: Running, tmp_path: Path) -> None:
    command = pasted(demo.log.read_text(encoding="utf-8"), "curl")

    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=30)

    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("data: [DONE]"), done.stdout


def test_a_stream_read_to_its_end_is_logged_as_a_success(demo: Running) -> None:
    body = {"model": "qwen3-max", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    with post(demo.url, body) as reply:
        request_id = reply.headers["x-request-id"]
        reply.read()

    assert '"POST /v1/chat/completions 200"' in logged(demo.log, request_id)


def logged(log: Path, request_id: str) -> str:
    """The line of the access log for one request, which may come a moment after the answer."""
    ends_at = time.monotonic() + 5
    while time.monotonic() < ends_at:
        for line in log.read_text(encoding="utf-8").splitlines():
            if f'"request_id":"{request_id}"' in line:
                return line
        time.sleep(0.02)
    raise AssertionError(f"{request_id} is not in the log")


def test_chat_finds_the_demo_and_prints_its_words(demo: Running, tmp_path: Path) -> None:
    done = subprocess.run(
        [*THIS_PYTHON, "chat", "Hello", "--url", demo.url],
        env=surroundings(tmp_path),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.returncode == 0, done.stderr
    assert "simulated on this machine" in done.stdout.replace("\n", " ")


def test_what_is_printed_names_urls_models_and_no_secret(demo: Running) -> None:
    log = demo.log.read_text(encoding="utf-8")

    assert f"{demo.url}/v1" in log
    assert "glm-5" in log
    assert "sk-demo" not in log
