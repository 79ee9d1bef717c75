from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.doctor.machine import free_bytes, is_installed
from tests.support.machines import machine, write


def test_a_module_is_installed_or_not() -> None:
    assert is_installed("msgspec")
    assert not is_installed("no_such_module_of_anybody")


def test_a_disk_has_room(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) > 0


def test_files_and_names_that_are_not_there_are_nothing(tmp_path: Path) -> None:
    here = machine(tmp_path)

    assert here.read(tmp_path / "nothing") is None
    assert here.names_in(tmp_path / "nothing") == []


def test_a_file_is_read_with_the_time_of_its_change(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", {"a": 1})
    file = machine(tmp_path).read(path)

    assert file is not None
    assert (file.data, file.modified_at) == (b'{"a":1}', path.stat().st_mtime)
    assert machine(tmp_path).names_in(tmp_path) == ["x.json"]
