"""What a launch prepares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iflow_cli_proxy.agents.base import Launch
from iflow_cli_proxy.cli.agents.launching import agents_here, environment, prepare, read_text, scene
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import StateError


def test_each_launch_has_a_session_of_its_own(tmp_path: Path) -> None:
    here = Session({})

    assert scene(here, tmp_path).session != scene(here, tmp_path).session


def test_variables_of_the_launch_count_more_than_the_persons() -> None:
    start = Launch(variables={"A": "ours"}, unset=("B",))

    assert environment({"A": "theirs", "B": "1", "C": "2"}, start) == {"A": "ours", "C": "2"}


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_mirror_holds_everything_but_the_files_of_the_run(tmp_path: Path) -> None:
    own, place = tmp_path / "own", tmp_path / "run" / "mirror"
    (own / "history").mkdir(parents=True)
    (own / "settings.json").write_text("mine")

    prepare(Launch(variables={}, files={place / "settings.json": "ours"}, mirrors={place: own}))
    (place / "history" / "new").touch()

    assert (place / "settings.json").read_text() == "ours"
    assert (own / "settings.json").read_text() == "mine"
    assert (own / "history" / "new").exists()


def test_a_mirror_of_what_is_not_there_is_empty(tmp_path: Path) -> None:
    prepare(Launch(variables={}, mirrors={tmp_path / "mirror": tmp_path / "none"}))

    assert list((tmp_path / "mirror").iterdir()) == []


def test_settings_that_are_no_text_are_said(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff")

    assert read_text(tmp_path / "none") is None
    with pytest.raises(StateError, match="UTF-8"):
        read_text(tmp_path / "x")


def test_every_agent_is_listed(tmp_path: Path) -> None:
    rows = agents_here(Session({"IFLOW2API_HOME": str(tmp_path), "PATH": ""}))

    assert [row["agent"] for row in rows] == ["claude-code", "codex", "opencode", "gemini", "qwen"]
    assert {row["program"] for row in rows} == {None}
