"""One picture printed; the moving one is watched in tests/cli/test_top.py."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.cli.watching.screen import can_watch, print_once
from iflow_cli_proxy.cli.watching.shape import AccountRow, Request, Second, Snapshot

SNAPSHOT = Snapshot(
    version="1.2.3",
    history=[Second(requests=1)] * 60,
    in_flight_total=1,
    in_flight=[Request(id="req_1", model="a-model-with-a-name-that-is-rather-long-" * 2, phase="thinking")],
    accounts=[AccountRow(provider="iflow", label="work", state="ok")],
)


def test_on_a_pipe_nothing_is_cut_or_coloured(capsys: pytest.CaptureFixture[str]) -> None:
    assert not can_watch()
    print_once(SNAPSHOT, "http://127.0.0.1:28000")
    out = capsys.readouterr().out
    assert SNAPSHOT.in_flight[0].model in out
    assert "\x1b" not in out
    assert "…" not in out
    assert "▁" not in out and "█" not in out  # noqa: PT018 -- one thing: no pictures


def test_on_a_screen_it_fits(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    print_once(SNAPSHOT, "http://127.0.0.1:28000")
    lines = capsys.readouterr().out.splitlines()
    assert any("█" in line for line in lines)


@pytest.mark.parametrize(("terminal", "can"), [("xterm-256color", True), ("dumb", False)])
def test_a_dumb_terminal_is_drawn_on_once(terminal: str, can: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", terminal)
    assert can_watch() is can
