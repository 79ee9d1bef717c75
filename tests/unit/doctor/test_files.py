from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from iflow_cli_proxy.doctor.files import examine, judge_room
from iflow_cli_proxy.doctor.finding import Status
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.state.atomic import make_private_folder
from tests.support.machines import NOW, machine, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes say nothing there")


def subjects(here: Machine) -> dict[str, Status]:
    return {one.subject: one.status for one in examine(here)}


def test_an_empty_machine_has_nothing_to_say(tmp_path: Path) -> None:
    (found,) = examine(machine(tmp_path))

    assert (found.status, found.text) == (Status.OK, "nothing has been written yet")


def test_closed_files_are_fine(tmp_path: Path) -> None:
    here = machine(tmp_path)
    write(here.paths.accounts_dir / "one.json", {})
    write(here.paths.config_file, "")

    assert subjects(here) == {"~/gateway": Status.OK}


def test_i42_every_open_file_of_ours_is_told(tmp_path: Path) -> None:
    here = machine(tmp_path)
    for path in (
        here.paths.config_file,
        here.paths.overrides_file,
        here.paths.keys_file,
        here.paths.accounts_dir / "one.json",
        here.paths.accounts_dir / "one.json.v0.bak",
        here.paths.accounts_dir / "one.json.damaged",
    ):
        write(path, "", mode=0o644)
    write(here.paths.accounts_dir / "one.json.lock", "", mode=0o644)
    here.paths.accounts_dir.chmod(0o755)

    found = list(examine(here))

    assert {one.status for one in found} == {Status.WARNING}
    assert {one.subject.removeprefix("~/gateway/") for one in found} == {
        "config.toml", "overrides.toml", "keys.toml", "accounts", "accounts/one.json", "accounts/one.json.v0.bak",
        "accounts/one.json.damaged",
    }  # fmt: skip
    read = {one.subject for one in found if "reading the accounts closes it" in one.text}
    assert read == {"~/gateway/accounts", "~/gateway/accounts/one.json"}


def test_a_home_that_was_named_as_ours_stays_as_open_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    assert set(subjects(machine(tmp_path, {"IFLOW2API_HOME": str(tmp_path)})).values()) == {Status.OK}


def test_a_config_file_may_be_a_link_to_a_closed_one(tmp_path: Path) -> None:
    here = machine(tmp_path)
    target = write(tmp_path / "dotfiles" / "config.toml", "")
    make_private_folder(here.paths.config_file.parent)
    here.paths.config_file.symlink_to(target)

    assert set(subjects(here).values()) == {Status.OK}


async def test_what_a_killed_writer_left_is_deleted_once_it_is_old(tmp_path: Path) -> None:
    here = machine(tmp_path)
    old = write(here.paths.accounts_dir / ".one.json.0123456789ab.tmp", "half")
    new = write(here.paths.accounts_dir / ".two.json.0123456789ab.tmp", "half")
    other = write(here.paths.accounts_dir / ".notes.tmp", "mine")
    os.utime(old, (NOW - 61, NOW - 61))
    for path in (new, other):
        os.utime(path, (NOW - 5, NOW - 5))

    (found,) = examine(here)

    assert found.repair is not None
    assert await found.repair.do() == "deleted"
    assert [path.exists() for path in (old, new, other)] == [False, True, True]


def test_f51_a_full_disk_is_a_failure_and_a_nearly_full_one_a_warning(tmp_path: Path) -> None:
    full, nearly = judge_room(0, "~/x"), judge_room(10 << 20, "~/x")

    assert full is not None
    assert nearly is not None
    assert (full.status, nearly.status) == (Status.FAILURE, Status.WARNING)
    assert judge_room(1 << 30, "~/x") is None
    assert Status.FAILURE in subjects(machine(tmp_path, free_bytes=lambda folder: 0)).values()


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_f51_a_folder_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    here = machine(tmp_path)
    make_private_folder(here.paths.accounts_dir)
    here.paths.accounts_dir.chmod(0o500)

    assert subjects(here)["~/gateway/accounts"] is Status.FAILURE
