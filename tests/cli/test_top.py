"""`top`: in windows of several widths, on a pipe, and when nobody is there."""

from __future__ import annotations

import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.cells import cell_len

from iflow_cli_proxy.core import jsonx
from tests.support.cli import run_cli
from tests.support.patience import until
from tests.support.small_gateway import SmallGateway, small_gateway
from tests.support.window import ROOT, Window, window

LIVE = {
    "at": "2026-11-20T14:00:00Z",
    "version": "1.2.3",
    "uptime_s": 4000.0,
    "accepting": True,
    "minute": {"requests": 312, "errors": 6, "error_rate": 0.02, "errors_by_kind": {"overloaded": 6}},
    "history": [{"requests": at % 7, "tokens": at * 10, "errors": 0} for at in range(60)],
    "in_flight_total": 1,
    "in_flight": [
        {"id": "req_000000000000000000000001", "protocol": "anthropic", "model": "glm-5", "route": "iflow/glm-5",
         "account": "work", "key": "alice", "phase": "thinking", "age_s": 3.2, "tokens": 120, "tokens_per_s": 40.0,
         "attempts": 1, "stream": True}
    ],
    "accounts": [
        {"provider": "iflow", "label": "work", "state": "ok", "in_use": True, "in_flight": 1, "requests": 9},
        {"provider": "iflow", "label": "night", "state": "cooling", "in_use": True,
         "rests": [{"reason": "quota", "model": "", "seconds_left": 125.0}]},
    ],
}  # fmt: skip
BODY = jsonx.encode(LIVE)
ANY_MOVE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


@asynccontextmanager
async def watching(told: SmallGateway, home: Path, width: int, **env: str) -> AsyncIterator[Window]:
    around = {"IFLOW2API_HOME": str(home), "HOME": str(home), "PYTHONPATH": str(ROOT), **env}
    command = ("-m", "iflow_cli_proxy", "top", "--url", told.url, "--interval", "0.2")
    async with window(*command, env=around, width=width, height=24) as shown:
        yield shown


def first_picture(shown: Window, of: str) -> list[str]:
    """The lines of the first frame with that in it; each begins where the cursor is led home, and another follows."""
    whole = next(part for part in shown.raw.split("\x1b[H")[:-1] if of in part)
    return ANY_MOVE.sub("", whole).replace("\r", "").split("\n")


@pytest.mark.parametrize("width", [40, 80, 140])
async def test_it_fits_a_window_of_any_width_and_leaves_it_clean(width: int, tmp_path: Path) -> None:
    with small_gateway(SmallGateway(live=BODY)) as told:
        async with watching(told, tmp_path, width) as shown:
            await shown.see("thinking")
            told.live = BODY.replace(b"glm-5", b"kimi-k2")
            await shown.see("kimi-k2")
            lines = first_picture(shown, "glm-5")
            shown.type("q")
            assert await shown.end() == 0
            assert shown.is_clean
            assert shown.raw.rfind("\x1b[?1049l") > shown.raw.rfind("\x1b[?1049h"), "what was there before is back"
    assert max(map(cell_len, lines)) <= width
    picture = "\n".join(lines)
    assert "2:05" in picture, "how long an account still rests"
    assert ("req_000000000000000000000001" in picture) is (width == 140)
    assert ("alice" in picture) is (width >= 80)


async def test_ctrl_c_is_an_interrupt_and_a_signal_leaves_the_window_clean(tmp_path: Path) -> None:
    for how, code in (("\x03", 130), (signal.SIGTERM, 128 + signal.SIGTERM)):
        with small_gateway(SmallGateway(live=BODY)) as told:
            async with watching(told, tmp_path, 80) as shown:
                await shown.see("thinking")
                if isinstance(how, str):
                    shown.type(how)
                else:
                    shown.process.send_signal(how)
                assert await shown.end() == code
                assert shown.is_clean
        assert "Traceback" not in shown.text


async def test_a_gateway_that_goes_away_is_said_and_found_again(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(live=BODY)) as told:
        async with watching(told, tmp_path, 80) as shown:
            await shown.see("thinking")
            told.live_status, told.live = 500, b""
            await shown.see("Nothing heard for")
            await shown.see(r"status 500")
            told.live_status, told.live = 200, BODY.replace(b"thinking", b"streaming")
            await shown.see("streaming")
            shown.type("q")
            assert await shown.end() == 0


async def test_a_gateway_that_hangs_holds_up_no_key(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(live=BODY)) as told:
        async with watching(told, tmp_path, 80) as shown:
            await shown.see("thinking")
            told.may_answer.clear()
            asked = len(told.keys)
            await until(lambda: len(told.keys) > asked)
            shown.type("q")
            assert await shown.end() == 0
            assert not told.may_answer.is_set()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="tells by /proc whether a program is stopped")
async def test_ctrl_z_gives_the_window_back_until_it_goes_on(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(live=BODY)) as told:
        async with watching(told, tmp_path, 80) as shown:
            await shown.see("thinking")
            shown.type("\x1a")
            stat = Path(f"/proc/{shown.process.pid}/stat")
            await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
            assert shown.is_clean
            told.live = BODY.replace(b"glm-5", b"kimi-k2")
            shown.process.send_signal(signal.SIGCONT)
            await shown.see("kimi-k2")
            shown.type("q")
            assert await shown.end() == 0
            assert shown.is_clean


async def test_a_window_that_changes_its_size_is_drawn_anew(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(live=BODY)) as told:
        async with watching(told, tmp_path, 40) as shown:
            await shown.see("thinking")
            assert "req_0000" not in shown.text
            shown.resize(140, 30)
            await shown.see("req_000000000000000000000001")
            shown.type("q")
            assert await shown.end() == 0


async def test_no_color_is_obeyed(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(live=BODY)) as told:
        async with watching(told, tmp_path, 80, NO_COLOR="1") as shown:
            await shown.see("thinking")
            shown.type("q")
            assert await shown.end() == 0
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m", shown.raw)


def env_of(home: Path) -> dict[str, str]:
    return {"IFLOW2API_HOME": str(home)}


def test_on_a_pipe_it_is_shown_once(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(live=BODY)) as told:
        got = run_cli("top", "--url", told.url, env=env_of(tmp_path))
        assert got == run_cli("top", "--once", "--url", f"{told.url}/v1/", env=env_of(tmp_path))
    assert (got.code, got.err) == (0, "")
    assert "last minute · 312 requests" in got.out
    assert [line.split()[:4] for line in got.out.splitlines() if "glm-5" in line] == [
        ["glm-5", "alice", "work", "thinking"]
    ]


@pytest.mark.parametrize("flags", [("--json",), ("--once", "--json")])
def test_for_scripts_it_is_the_snapshot(flags: tuple[str, ...], tmp_path: Path) -> None:
    with small_gateway(SmallGateway(live=BODY)) as told:
        got = run_cli("top", *flags, "--url", told.url, env=env_of(tmp_path))
    assert got.json == LIVE


def test_the_gateway_of_the_settings_and_its_key_are_used(tmp_path: Path) -> None:
    with small_gateway(SmallGateway(live=BODY, wanted_key="sk-client-0123456789")) as told:
        port = told.url.rpartition(":")[2]
        (tmp_path / "config.toml").write_text(
            f'[server]\nport = {port}\n[auth]\nclient_keys = ["sk-client-0123456789"]\n', encoding="utf-8"
        )
        assert run_cli("top", "--json", env=env_of(tmp_path)).code == 0
        wrong = run_cli("top", "--json", env={**env_of(tmp_path), "IFLOW2API_CLIENT_KEY": "sk-other"})
    assert wrong.code == 1
    assert "asks for a client key" in wrong.err


def test_nobody_there_says_how_to_start_one(tmp_path: Path) -> None:
    for flags in ((), ("--once", "--json")):
        got = run_cli("top", *flags, env={**env_of(tmp_path), "IFLOW2API_SERVER_PORT": "1"})
        assert (got.code, got.out) == (1, "")
        assert "No gateway answers" in got.err
        assert "`iflow2api serve`" in got.err


@pytest.mark.parametrize("flags", [("--interval", "0"), ("--interval", "soon"), ("--url", "127.0.0.1:1")])
def test_what_makes_no_sense_is_wrong_usage(flags: tuple[str, ...], tmp_path: Path) -> None:
    assert run_cli("top", *flags, env=env_of(tmp_path)).code == 2
