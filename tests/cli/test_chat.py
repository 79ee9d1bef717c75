"""`chat` against a running gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import run_cli
from tests.support.serving import serving


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with serving("--demo", home=tmp_path_factory.mktemp("chat")) as running:
        yield running.url


def test_an_answer_is_printed_and_its_tokens_are_told_aside(gateway: str, tmp_path: Path) -> None:
    got = run_cli("chat", "tell me of otters", "--url", gateway, "-m", "qwen3-coder-plus", env=_env(tmp_path))
    assert got.code == 0
    assert "otters" in got.out
    assert "tokens" in got.err
    assert "tokens" not in got.out


def test_thinking_and_answer_are_two_paragraphs(gateway: str, tmp_path: Path) -> None:
    got = run_cli("chat", "hello", "--url", gateway, "-m", "glm-5", env=_env(tmp_path))
    assert "\n\n" in got.out.strip()
    hidden = run_cli("chat", "hello", "--url", gateway, "-m", "glm-5", "--hide-thinking", env=_env(tmp_path))
    assert "\n\n" not in hidden.out.strip()


def test_json_holds_the_whole_answer_and_its_usage(gateway: str, tmp_path: Path) -> None:
    got = run_cli("chat", "-", "--url", gateway, "-m", "glm-5", "--json", env=_env(tmp_path), stdin="hello there")
    assert got.json["model"] == "glm-5"
    assert "hello there" in got.json["text"]
    assert got.json["reasoning"]
    assert got.json["usage"]["completion_tokens"] > 0


def test_the_first_listed_model_is_asked_when_none_is_named(gateway: str, tmp_path: Path) -> None:
    got = run_cli("chat", "hello", "--url", gateway + "/v1", "--json", env=_env(tmp_path))
    assert got.json["model"] == "glm-5"


def test_the_gateways_error_is_shown_with_exit_code_one(gateway: str, tmp_path: Path) -> None:
    got = run_cli("chat", "hello", "--url", gateway, "-m", "fault-http_500", env=_env(tmp_path))
    assert got.code == 1
    assert got.err.startswith("Error: ")
    assert "Traceback" not in got.err


def test_no_gateway_there_names_the_command_that_starts_one(tmp_path: Path) -> None:
    got = run_cli("chat", "hello", "--url", "http://127.0.0.1:1", "-m", "m", env=_env(tmp_path))
    assert got.code == 1
    assert "iflow2api serve" in got.err


def test_an_address_without_http_is_wrong_usage(tmp_path: Path) -> None:
    got = run_cli("chat", "hello", "--url", "127.0.0.1:1", env=_env(tmp_path))
    assert got.code == 2
    assert "http://127.0.0.1:1" in got.err


def _env(tmp_path: Path) -> dict[str, str]:
    return {"IFLOW2API_HOME": str(tmp_path)}
