import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import ConfigError, StateError
from iflow_cli_proxy.state.overrides import REMOVED, set_overrides

WRITER = """
import sys, pathlib
from iflow_cli_proxy.state.overrides import set_overrides
for number in range(25):
    change = (["aliases", f"{sys.argv[2]}-{number}"], "x")
    set_overrides(pathlib.Path(sys.argv[1]), [change], check=lambda text: None)
"""


def accept(_: str) -> None:
    """A check that finds nothing wrong."""


def test_one_setting_is_changed_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"

    set_overrides(path, [(["server", "port"], 1)], check=accept)
    set_overrides(path, [(["models", "aliases", "glm-4.7"], "x")], check=accept)
    set_overrides(path, [(["server", "port"], 2)], check=accept)

    assert tomllib.loads(path.read_text()) == {"server": {"port": 2}, "models": {"aliases": {"glm-4.7": "x"}}}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_table_can_be_taken_out_whether_it_is_there_or_not(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"
    set_overrides(path, [(["providers", "a", "url"], "x"), (["providers", "b", "url"], "y")], check=accept)

    set_overrides(path, [(["providers", "a"], REMOVED), (["server", "port"], REMOVED)], check=accept)

    assert tomllib.loads(path.read_text())["providers"] == {"b": {"url": "y"}}


def test_i40_no_value_can_add_settings_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"
    evil = "\"\n[admin]\npassword = \"\"\n'''"

    set_overrides(path, [(["a", evil], evil)], check=accept)

    assert tomllib.loads(path.read_text()) == {"a": {evil: evil}}


def test_what_the_check_refuses_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"
    set_overrides(path, [(["server", "port"], 1)], check=accept)

    def refuse(text: str) -> None:
        assert "port = 2" in text
        raise ConfigError("no")

    with pytest.raises(ConfigError):
        set_overrides(path, [(["server", "port"], 2)], check=refuse)

    assert tomllib.loads(path.read_text()) == {"server": {"port": 1}}


@pytest.mark.parametrize("data", [b"[", b"\xff", b"x = " + b"[" * 100_000], ids=["cut", "not UTF-8", "deep"])
def test_f53_a_damaged_file_is_never_overwritten(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "overrides.toml"
    path.write_bytes(data)

    with pytest.raises(StateError, match="damaged"):
        set_overrides(path, [(["server", "port"], 1)], check=accept)

    assert path.read_bytes() == data


def test_a_value_in_the_place_of_a_table_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"
    set_overrides(path, [(["headers"], "minimal")], check=accept)
    set_overrides(path, [(["headers", "x-team"], "docs")], check=accept)

    assert tomllib.loads(path.read_text()) == {"headers": {"x-team": "docs"}}


def test_writers_in_several_processes_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "overrides.toml"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, name]) for name in "abc"]

    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    assert len(tomllib.loads(path.read_text())["aliases"]) == 75
