"""`align`: what a recording and the settings of today make of it, on a pipe and as JSON."""

from __future__ import annotations

from pathlib import Path

from tests.cli.flights.test_baseline import UP, golden
from tests.support.cli import run_cli


def test_differences_are_rows_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(UP)
    file = golden(tmp_path)
    env = {"IFLOW2API_HOME": str(tmp_path)}
    got = run_cli("align", str(file), env=env)
    assert got.code == 1
    assert got.out.splitlines()[0].split() == ["where", "what", "recorded", "today"]
    assert "header Authorization" in got.out
    assert "Differences from what up would be sent today" in got.err
    told = run_cli("align", str(file), "--json", env=env)
    assert (told.code, told.json["provider"], told.json["same"]) == (1, "up", False)


def test_no_recording_is_told_with_the_command_that_writes_one(tmp_path: Path) -> None:
    got = run_cli("align", str(tmp_path / "nothing.json"), env={"IFLOW2API_HOME": str(tmp_path)})
    assert (got.code, got.out) == (1, "")
    assert "explain ID --save FILE" in got.err
