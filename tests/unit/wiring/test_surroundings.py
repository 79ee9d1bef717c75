"""What providers are given of the machine, and which tables are in force."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.providers import Surroundings
from iflow_cli_proxy.wiring.surroundings import default_table, enabled_tables, surroundings
from tests.support.gateway import settings_from
from tests.support.wiring import around


def tables(toml: str, signed_in: Iterable[str] = ()) -> list[str]:
    return [*enabled_tables(settings_from(toml), signed_in)]


def table(name: str, **fields: str) -> str:
    return f"[providers.{name}]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())


@pytest.mark.parametrize(
    ("toml", "signed_in", "expected"),
    [
        ("", (), ["iflow", "qwen"]),
        (table("mine", base_url='"http://127.0.0.1/v1"'), (), ["mine", "iflow", "qwen"]),
        (table("iflow", enabled="false"), (), ["qwen"]),
        (table("iflow", enabled="false"), ("iflow",), ["qwen"]),
        (table("relay", kind='"iflow"'), (), ["relay", "qwen"]),
        (table("relay", kind='"iflow"'), ("iflow",), ["relay", "qwen", "iflow"]),
        (table("relay", kind='"iflow"', enabled="false"), (), ["iflow", "qwen"]),
        ("", ("openrouter", "openrouter"), ["iflow", "qwen", "openrouter"]),
        ("", ("nobody-knows", "openai_compatible"), ["iflow", "qwen"]),
        (table("ollama", enabled="false"), ("ollama",), ["iflow", "qwen"]),
    ],
)
def test_tables_in_force_are_those_that_are_on_and_those_that_need_none(
    toml: str, signed_in: tuple[str, ...], expected: list[str]
) -> None:
    assert tables(toml, signed_in) == expected


def test_a_provider_without_a_table_is_called_as_the_upstream_settings_say() -> None:
    found = default_table(settings_from('[upstream]\nproxy = "http://127.0.0.1:9"\nidle_timeout_s = 7\n'))
    assert (found.proxy, found.idle_timeout_s, found.base_url) == ("http://127.0.0.1:9", 7, "")


@pytest.fixture
def world(tmp_path: Path) -> Surroundings:
    paths, environ = around(tmp_path)
    paths.models_dir.mkdir(parents=True)
    (paths.models_dir / "iflow.toml").write_text("# mine\n")
    (paths.models_dir / "notes.txt").write_text("no model data")
    settings = settings_from('[reasoning]\nthinking = "off"\n')
    return surroundings(settings, paths, environ, clock=SystemClock(), entropy=os.urandom, home=tmp_path)


def test_model_data_of_the_person_goes_by_the_name_of_its_file(world: Surroundings) -> None:
    assert world.model_files == {"iflow": "# mine\n"}
    assert world.thinking == "off"


def test_a_file_is_read_with_the_time_it_was_written(world: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    os.utime(tmp_path / "file", (1, 1_700_000_000))
    found = world.read(tmp_path / "file")
    assert found is not None
    assert (found.data, found.modified_at) == (b"text", 1_700_000_000)


def test_what_is_not_there_is_nothing_and_never_an_error(world: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert world.read(tmp_path / "no such file") is None
    assert world.read(tmp_path / "file" / "below a file") is None
    assert [*world.list_names(tmp_path / "no such folder")] == []
    assert [*world.list_names(tmp_path / "file")] == []


def test_what_cannot_be_read_is_an_error_that_the_search_tells(world: Surroundings, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        world.read(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes there")
def test_i41_a_pipe_in_place_of_a_file_holds_nobody(world: Surroundings, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no ordinary file"):
        world.read(tmp_path / "pipe")


def test_of_a_huge_file_no_more_than_a_megabyte_is_read(world: Surroundings, tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    found = world.read(tmp_path / "huge")
    assert found is not None
    assert len(found.data) == 1024 * 1024


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
def test_a_pipe_in_place_of_a_file_holds_nobody(world: Surroundings, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no ordinary file"):
        world.read(tmp_path / "pipe")
