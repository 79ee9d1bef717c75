from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.doctor.finding import Finding, Status
from iflow_cli_proxy.doctor.modes import Entry, close, entry_at, judge
from tests.support.machines import write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes say nothing there")


def judged(path: Path) -> Finding | None:
    entry = entry_at(path)
    assert entry is not None
    return judge(entry, path.parent, os.geteuid())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


async def test_i42_an_open_file_is_told_and_closed_without_giving_the_owner_more(tmp_path: Path) -> None:
    path = write(tmp_path / "key.json", "{}", mode=0o444)
    found = judged(path)

    assert found is not None
    assert found.repair is not None
    assert (found.status, found.subject) == (Status.WARNING, "~/key.json")
    assert "mode 0444" in found.text
    assert await found.repair.do() == "its mode is 0400 now"
    assert mode(path) == 0o400
    assert judged(path) is None


def test_i42_a_folder_is_closed_the_same_way(tmp_path: Path) -> None:
    folder = tmp_path / "accounts"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)

    close(folder)

    assert mode(folder) == 0o700


def test_i41_a_link_is_a_failure_and_is_not_followed(tmp_path: Path) -> None:
    target = write(tmp_path / "target", "x", mode=0o644)
    link = tmp_path / "key.json"
    link.symlink_to(target)
    found = judged(link)

    assert found is not None
    assert (found.status, found.repair) == (Status.FAILURE, None)
    with pytest.raises(OSError, match="symbolic links"):
        close(link)
    assert mode(target) == 0o644


def test_i41_a_pipe_is_a_failure_and_cannot_hold_us(tmp_path: Path) -> None:
    pipe = tmp_path / "key.json"
    os.mkfifo(pipe)
    found = judged(pipe)

    assert found is not None
    assert found.status is Status.FAILURE
    with pytest.raises(StateError):
        close(pipe)


def test_i41_the_file_of_another_user_is_never_touched() -> None:
    entry = Entry(path=Path("/x"), mode=stat.S_IFREG | 0o644, owner=4711)
    found = judge(entry, Path("/home"), 1000)

    assert found is not None
    assert (found.status, found.repair) == (Status.FAILURE, None)
    assert "uid 4711" in found.text


def test_nothing_is_no_entry(tmp_path: Path) -> None:
    assert entry_at(tmp_path / "nothing") is None
