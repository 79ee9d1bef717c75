from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import ConfigError, StateError
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from iflow_cli_proxy.state.keys import KeyFile, Loaded, find_key

WRITER = """
import sys, pathlib
from iflow_cli_proxy.pool.client_key import ClientKey, digest_of
from iflow_cli_proxy.state.keys import KeyFile
for number in range(15):
    name = f"{sys.argv[2]}-{number}"
    KeyFile(pathlib.Path(sys.argv[1])).add(ClientKey(name=name, digest=digest_of(name)))
"""


def key(name: str, secret: str = "", **changes: object) -> ClientKey:
    return ClientKey(name=name, digest=digest_of(secret or name), **changes)  # type: ignore[arg-type]


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "data" / "keys.toml")


def test_without_a_file_there_are_no_keys(file: KeyFile) -> None:
    assert file.load() == Loaded(keys=())
    assert file.stamp() is None


def test_keys_are_kept_in_their_order_for_this_person_alone(file: KeyFile) -> None:
    file.add(key("b"))
    file.add(key("a", rpm=5))

    assert file.load().keys == (key("b"), key("a", rpm=5))
    if os.name == "posix":
        assert file.path.stat().st_mode & 0o777 == 0o600
        assert file.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"expires_at": 5.0}, False), ({"revoked_at": 1.0}, False), ({"is_disabled": True}, False)],
)
def test_keys_out_of_use_let_nobody_in(changes: dict[str, float], expected: bool) -> None:
    assert Loaded(keys=(key("a", **changes),)).has_usable(5.0) is expected
    assert not Loaded(keys=()).has_usable(5.0)


def test_a_name_is_given_once_until_its_key_is_revoked(file: KeyFile) -> None:
    file.add(key("team"))
    with pytest.raises(ConfigError, match="already"):
        file.add(key("team", "other"))
    assert file.load().keys == (key("team"),)

    file.change(["team"], lambda old: replace(old, revoked_at=5.0))
    file.add(key("team", "other"))

    assert file.load().keys == (key("team", "other"),)


def test_several_keys_change_together_or_not_at_all(file: KeyFile) -> None:
    for name in "abc":
        file.add(key(name))

    done = file.change(["c", "a", "c"], lambda old: replace(old, is_disabled=True))

    assert done == (key("c", is_disabled=True), key("a", is_disabled=True))
    with pytest.raises(ConfigError, match="no key called 'x'"):
        file.change(["b", "x"], lambda old: replace(old, is_disabled=True))
    assert [one.is_disabled for one in file.load().keys] == [True, False, True]


def test_a_change_that_is_none_writes_nothing(file: KeyFile) -> None:
    file.add(key("a"))
    before = file.stamp()

    file.change(["a"], lambda old: old)

    assert file.stamp() == before


def test_every_change_shows_in_the_stamp(file: KeyFile) -> None:
    file.add(key("a"))
    before = file.stamp()
    file.change(["a"], lambda old: replace(old, rpm=5))

    assert None is not before != file.stamp()


@pytest.mark.parametrize(
    "data", [b"", b"[", b"\xff", b"version = 9", b"version = 1\n[keys.x]\nrpm = 0"],
    ids=["empty", "cut", "not UTF-8", "newer", "bad limit"],
)  # fmt: skip
def test_f53_a_damaged_file_is_never_overwritten(file: KeyFile, data: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(data)

    for attempt in (
        file.load,
        lambda: file.add(key("a")),
        lambda: file.change(["x"], lambda old: old),
        lambda: file.take_over([key("a")]),
    ):
        with pytest.raises(StateError, match=r"keys\.toml cannot be used and stays as it is") as raised:
            attempt()
        assert raised.value.hint
        assert str(file.path) not in raised.value.message
    assert file.path.read_bytes() == data


def test_what_could_not_be_read_again_is_not_written(file: KeyFile) -> None:
    file.add(key("a"))
    before = file.path.read_bytes()

    with pytest.raises(ValueError, match="control characters"):
        file.change(["a"], lambda old: replace(old, note="\x07"))

    assert file.path.read_bytes() == before


def test_what_is_not_known_of_a_key_is_kept(file: KeyFile) -> None:
    file.add(key("a"))
    with file.path.open("ab") as out:
        out.write(b"colour = 3\n")

    file.change(["a"], lambda old: replace(old, rpm=5))
    file.add(key("b"))

    assert file.load().unknown == ("keys.a.colour",)
    assert b"colour = 3" in file.path.read_bytes()


def test_keys_of_another_program_get_names_that_are_free_and_come_once(file: KeyFile) -> None:
    file.add(key("imported-1", "mine"))
    theirs = [key("imported-1", "one"), key("imported-2", "two"), key("imported-3", "mine")]

    done = file.take_over(theirs)

    assert [(one.name, one.digest) for one in done] == [
        ("imported-1-2", digest_of("one")),
        ("imported-2", digest_of("two")),
    ]
    assert len(file.load().keys) == 3
    assert file.take_over(theirs) == ()


@pytest.mark.parametrize(
    ("known", "name", "hint"),
    [
        (["team", "me"], "tem", "did you mean team?"),
        (["team"], "zzz", "known: team"),
        ([], "x", "iflow2api key create"),
    ],
)
def test_a_name_that_is_none_is_answered_with_the_next_thing_to_try(known: list[str], name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        find_key({each: key(each) for each in known}, name)

    assert hint in raised.value.hint
    assert (raised.value.param or "").startswith("--")


def test_writers_in_several_processes_lose_nothing_of_each_other(file: KeyFile) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, file.path, name]) for name in "abc"]

    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    assert {one.name for one in file.load().keys} == {f"{name}-{number}" for name in "abc" for number in range(15)}


def test_a_file_of_a_newer_version_is_not_called_wrong(file: KeyFile) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(b"version = 2")

    with pytest.raises(StateError, match="newer iflow2api") as raised:
        file.load()
    assert "correct" not in raised.value.hint
    assert "iflow2api version" in raised.value.hint
