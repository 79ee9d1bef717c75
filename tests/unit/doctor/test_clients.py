from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from iflow_cli_proxy.doctor.clients import Pointer, examine, judge, pointers
from iflow_cli_proxy.doctor.finding import Status
from iflow_cli_proxy.doctor.port import Gateway
from iflow_cli_proxy.doctor.reach import by_socket
from tests.support.machines import machine, write
from tests.support.raw_upstream import RawUpstream

RUNNING = Gateway(url="http://127.0.0.1:28000", version="1.0")
STOPPED = Gateway(url="http://127.0.0.1:28000")
KEY = "sk-very-secret-0123456789"


def test_every_place_where_agents_keep_an_address_is_read(tmp_path: Path) -> None:
    here = machine(tmp_path, {"OPENAI_BASE_URL": "http://a", "ANTHROPIC_BASE_URL": "http://b", "OPENAI_API_KEY": KEY})
    write(
        tmp_path / ".claude" / "settings.json",
        {"env": {"ANTHROPIC_BASE_URL": "http://c", "ANTHROPIC_AUTH_TOKEN": KEY}},
    )
    write(
        tmp_path / ".codex" / "config.toml",
        f'[model_providers.x]\nbase_url = "http://d"\nhttp_headers = {{ a = "{KEY}" }}\n[model_providers.y]\n',
    )
    write(tmp_path / ".qwen" / "settings.json", {"security": {"auth": {"baseUrl": "http://e", "apiKey": KEY}}})
    write(
        tmp_path / ".qwen" / ".env", f'# OPENAI_BASE_URL=no\nexport OPENAI_BASE_URL="http://f"\nOPENAI_API_KEY={KEY}\n'
    )

    found = list(pointers(here))

    assert {one.where: one.url for one in found} == {
        "OPENAI_BASE_URL": "http://a",
        "ANTHROPIC_BASE_URL": "http://b",
        "~/.claude/settings.json: env.ANTHROPIC_BASE_URL": "http://c",
        "~/.codex/config.toml: model_providers.x.base_url": "http://d",
        "~/.qwen/settings.json: security.auth.baseUrl": "http://e",
        "~/.qwen/.env: OPENAI_BASE_URL": "http://f",
    }
    assert KEY not in str(found)


def test_codex_may_live_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "cx" / "config.toml", '[model_providers.x]\nbase_url = "http://d"\n')

    assert [one.url for one in pointers(machine(tmp_path, {"CODEX_HOME": str(tmp_path / "cx")}))] == ["http://d"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"env": 5}', "\x00\xff", "[model_providers]\nx = 1"])
def test_files_that_their_own_program_cannot_read_are_passed_over(tmp_path: Path, content: str) -> None:
    for name in (".claude/settings.json", ".codex/config.toml", ".qwen/settings.json", ".qwen/.env"):
        write(tmp_path / name, content)
    (tmp_path / ".qwen" / ".env").unlink()
    (tmp_path / ".qwen" / ".env").mkdir()

    assert list(pointers(machine(tmp_path))) == []


@pytest.mark.parametrize(
    ("url", "gateway", "status", "words"),
    [
        ("http://127.0.0.1:28000/v1", RUNNING, Status.OK, "points at this gateway"),
        ("http://localhost:28000", RUNNING, Status.OK, "points at this gateway"),
        ("http://127.0.0.1:28000/v1", STOPPED, Status.WARNING, "which does not run"),
        ("https://me:pw@api.example.com/v1", RUNNING, Status.NOTE, "elsewhere, at api.example.com"),
        ("127.0.0.1:28000", RUNNING, Status.WARNING, "no http address"),
        ("http://[", RUNNING, Status.WARNING, "no http address"),
        ("http://h:99999", RUNNING, Status.WARNING, "no http address"),
    ],
)
async def test_where_it_points_is_told(url: str, gateway: Gateway, status: Status, words: str) -> None:
    found = await judge(Pointer(where="OPENAI_BASE_URL", url=url), gateway, by_socket)

    assert (found.status, found.subject) == (status, "OPENAI_BASE_URL")
    assert words in found.text
    assert "pw" not in found.text


async def test_another_port_of_this_machine_has_somebody_or_nobody_behind_it(tmp_path: Path) -> None:
    async with RawUpstream() as other:
        here = machine(tmp_path, {"OPENAI_BASE_URL": f"http://127.0.0.1:{other.port}/v1"})
        (somebody,) = await examine(here, RUNNING)
    (nobody,) = await examine(here, RUNNING)

    assert (somebody.status, somebody.text) == (Status.NOTE, f"points at another program, on port {other.port}")
    assert (nobody.status, nobody.action) == (Status.WARNING, "set it to http://127.0.0.1:28000/v1")


async def test_a_port_that_swallows_connections_counts_as_nobody() -> None:
    async def never(*given: object) -> None:
        await asyncio.Event().wait()

    found = await judge(Pointer(where="X", url="http://127.0.0.1:9/v1"), RUNNING, never)  # type: ignore[arg-type]

    assert found.status is Status.WARNING
