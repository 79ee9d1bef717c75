"""RELIABILITY R11, I41, I42, F51, F52."""

import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.atomic import (
    make_private_folder,
    read_private,
    remove_leftovers,
    remove_private,
    rename_private,
    tighten_folder,
    write_private,
)

CRASH_WRITER = Path(__file__).parents[2] / "support" / "crash_writer.py"
posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "account.json"

    assert read_private(path) is None
    write_private(path, b"one")
    write_private(path, b"two")

    assert read_private(path) == b"two"
    assert [each.name for each in path.parent.iterdir()] == ["account.json"]


@posix_only
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_i42_files_are_0600_and_new_folders_0700_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_private(tmp_path / "new.json", b"x")
        if umask != 0o777:
            write_private(tmp_path / "a" / "b" / "new.json", b"x")
    finally:
        os.umask(before)

    assert mode(tmp_path / "new.json") == 0o600
    if umask != 0o777:
        assert {mode(tmp_path / "a"), mode(tmp_path / "a" / "b")} == {0o700}


@posix_only
def test_i42_a_loose_file_is_tightened_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "account.json"
    path.write_bytes(b"x")
    path.chmod(0o644)

    with caplog.at_level(logging.WARNING):
        assert read_private(path) == b"x"
        assert read_private(path) == b"x"

    assert mode(path) == 0o600
    assert [record.getMessage() for record in caplog.records] == [
        "account.json was open to other users (mode 644); closed it"
    ]


@posix_only
def test_i42_a_loose_folder_is_tightened_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "accounts"
    folder.mkdir()
    folder.chmod(0o755)

    with caplog.at_level(logging.WARNING):
        tighten_folder(folder)
        tighten_folder(folder)
        tighten_folder(tmp_path / "missing")

    assert mode(folder) == 0o700
    assert len(caplog.records) == 1


@posix_only
def test_i41_a_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"theirs")
    target.chmod(0o644)
    link = tmp_path / "account.json"
    link.symlink_to(target)

    with pytest.raises(StateError, match="it is a link"):
        read_private(link)
    with pytest.raises(StateError, match="it is a link"):
        write_private(link, b"ours")

    assert target.read_bytes() == b"theirs"
    assert mode(target) == 0o644
    assert link.is_symlink()


@posix_only
def test_i41_a_dangling_link_is_refused_too(tmp_path: Path) -> None:
    link = tmp_path / "account.json"
    link.symlink_to(tmp_path / "nowhere")

    with pytest.raises(StateError, match="it is a link"):
        read_private(link)


@posix_only
def test_i41_a_file_with_a_second_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_bytes(b"x")
    (tmp_path / "second").hardlink_to(path)

    with pytest.raises(StateError, match="second name"):
        read_private(path)


@posix_only
def test_a_file_that_is_replaced_while_it_is_read_is_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "keys.toml"
    write_private(path, b"old")
    to_open = os.open

    def replaced_at_once(*given: int) -> int:
        descriptor = to_open(*given)
        monkeypatch.undo()
        write_private(path, b"new")
        return descriptor

    monkeypatch.setattr(os, "open", replaced_at_once)

    assert read_private(path) == b"old"
    assert read_private(path) == b"new"


@posix_only
def test_i41_a_pipe_is_refused_and_does_not_hold_us(tmp_path: Path) -> None:
    pipe = tmp_path / "account.json"
    os.mkfifo(pipe)

    with pytest.raises(StateError, match="no ordinary file"):
        read_private(pipe)
    with pytest.raises(StateError, match="no ordinary file"):
        write_private(pipe, b"x")


def test_i41_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "account.json").mkdir()

    with pytest.raises(StateError):
        read_private(tmp_path / "account.json")
    with pytest.raises(StateError, match="it is a folder"):
        write_private(tmp_path / "account.json", b"x")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_i41_a_file_of_another_user_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_bytes(b"x")
    path.chmod(0o644)
    os.chown(path, 12345, 12345)

    with pytest.raises(StateError, match="another user"):
        read_private(path)

    assert mode(path) == 0o644


def test_a_file_too_large_is_not_taken_in(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    write_private(path, b"x" * 11)

    assert read_private(path, largest_bytes=11) == b"x" * 11
    with pytest.raises(StateError, match="larger than 10 bytes"):
        read_private(path, largest_bytes=10)


@posix_only
def test_f51_a_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "account.json"
    write_private(path, b"old")
    script = (
        "import resource, signal, sys, pathlib\n"
        "from iflow_cli_proxy.state.atomic import write_private\n"
        "from iflow_cli_proxy.core.errors import StateError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_private(pathlib.Path(sys.argv[1]), b'new' * 1000)\n"
        "except StateError as error: sys.exit(error.message)\n"
    )
    assert resource.RLIMIT_FSIZE is not None

    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=30, check=False)

    assert "could not be saved: File too large" in done.stderr
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["account.json"]


@posix_only
def test_f52_a_kill_before_any_step_leaves_old_or_new_and_nothing_readable_by_others(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, CRASH_WRITER, tmp_path, "50"], capture_output=True, text=True, timeout=120, check=True
    )

    seen = json.loads(done.stdout)
    assert seen["steps"] >= 8
    assert seen["crashes"] == 50 * seen["steps"]
    assert seen["wrong"] == []
    assert seen["ends"] == ["new", "old"]


def test_leftovers_of_a_killed_writer_are_removed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    write_private(path, b"x")
    (tmp_path / ".account.json.0a1b.tmp").write_bytes(b"half")
    (tmp_path / ".other.json.0a1b.tmp").write_bytes(b"half")

    remove_leftovers(path)

    assert sorted(each.name for each in tmp_path.iterdir()) == [".other.json.0a1b.tmp", "account.json"]


def test_no_message_names_a_path_but_the_detail_does(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StateError) as caught:
        write_private(tmp_path / "file" / "account.json", b"x")

    assert str(tmp_path) not in caught.value.message
    assert str(tmp_path) in caught.value.detail


def test_a_folder_that_exists_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private_folder(tmp_path)

    assert mode(tmp_path) == 0o755


@posix_only
def test_another_mode_is_given_once_the_file_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"

    write_private(path, b"x", mode=0o644)

    assert mode(path) == 0o644


@posix_only
def test_the_mode_of_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "theirs.json"
    write_private(path, b"x", mode=0o644)

    with caplog.at_level(logging.WARNING):
        assert read_private(path, is_ours=False) == b"x"

    assert mode(path) == 0o644
    assert caplog.records == []


def test_removing_says_whether_there_was_a_file(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x")

    assert remove_private(tmp_path / "one")
    assert not remove_private(tmp_path / "one")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StateError, match="could not be deleted"):
        remove_private(tmp_path / "folder")


def test_a_new_name_never_takes_the_place_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "two").symlink_to("nowhere")

    with pytest.raises(StateError, match="could not be moved away: File exists"):
        rename_private(tmp_path / "one", "two")
    assert rename_private(tmp_path / "one", "three").read_bytes() == b"1"
    assert not (tmp_path / "one").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="root becomes another user for it")
@pytest.mark.parametrize(("loose", "is_refused"), [(0o755, False), (0o777, True)])
def test_i41_a_folder_of_another_user_is_told_and_refused_when_everybody_may_write(
    tmp_path: Path, loose: int, is_refused: bool
) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from iflow_cli_proxy.core.errors import StateError\n"
        "from iflow_cli_proxy.state.atomic import tighten_folder\n"
        "os.setuid(12345)\n"
        "try: tighten_folder(pathlib.Path(sys.argv[1]))\n"
        "except StateError as error: sys.exit(error.message)\n"
    )
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(loose)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, folder], capture_output=True, text=True, timeout=30, check=False
        )
    finally:
        folder.rmdir()

    assert ("every user may write" in done.stderr) is is_refused
    assert ("cannot be changed" in done.stderr) is not is_refused
