"""RELIABILITY I41, F51, F53."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, Tokens
from iflow_cli_proxy.signin.place import Place
from iflow_cli_proxy.state.foreign_file import ForeignFile

THEIRS = b'{"access_token": "at", "refresh_token": "rt", "theirs": [1, 2], "expiry_date": 1700000000000}'
posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")


def parse(data: bytes, modified_at: float) -> SavedAccount | None:
    fields = jsonx.decode_strict(data)
    if "access_token" not in fields:
        return None
    return SavedAccount(
        id="theirs",
        provider="qwen",
        label="default",
        auth_type=AuthType.OAUTH,
        tokens=Tokens(access_token=Secret(jsonx.convert(fields["access_token"], str, "access_token"))),
        updated_at=modified_at,
    )


def merge(data: bytes, account: SavedAccount) -> bytes:
    fields: dict[str, Any] = jsonx.decode_strict(data) if data else {}
    assert account.tokens is not None
    return jsonx.encode(fields | {"access_token": account.tokens.access_token.reveal()})


class Held:
    """A lock that counts."""

    def __init__(self) -> None:
        self.times = 0

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        self.times += 1
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "oauth_creds.json"


def place_at(path: Path, lock: Held | None = None) -> Place:
    return ForeignFile(path, lock or Held(), parse, merge)


def refreshed(account: SavedAccount | None) -> SavedAccount:
    assert account is not None
    assert account.tokens is not None
    return replace(account, tokens=replace(account.tokens, access_token=Secret("new")))


def test_a_missing_file_holds_nobody_and_one_without_a_sign_in_too(path: Path) -> None:
    assert place_at(path).read() is None
    path.write_bytes(b"{}")
    assert place_at(path).read() is None


def test_the_reader_is_told_when_the_file_was_written(path: Path) -> None:
    path.write_bytes(THEIRS)
    os.utime(path, (1_700_000_000, 1_700_000_000))

    account = place_at(path).read()

    assert account is not None
    assert account.updated_at == 1_700_000_000


@posix_only
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_writing_keeps_the_mode_and_everything_nobody_here_knows(path: Path, mode: int) -> None:
    path.write_bytes(THEIRS)
    path.chmod(mode)
    inode = path.stat().st_ino
    place = place_at(path)

    place.write(refreshed(place.read()))

    assert jsonx.decode(path.read_bytes()) == jsonx.decode(THEIRS) | {"access_token": "new"}
    assert path.stat().st_mode & 0o777 == mode
    assert path.stat().st_ino != inode
    assert [each.name for each in path.parent.iterdir()] == ["oauth_creds.json"]


def test_what_another_program_wrote_meanwhile_is_merged_into(path: Path) -> None:
    path.write_bytes(THEIRS)
    place = place_at(path)
    account = place.read()
    path.write_bytes(THEIRS.replace(b"[1, 2]", b"[3]"))

    place.write(refreshed(account))

    assert jsonx.decode(path.read_bytes())["theirs"] == [3]


@posix_only
def test_a_file_that_was_not_there_is_made_private(path: Path) -> None:
    path.write_bytes(THEIRS)
    account = refreshed(place_at(path).read())
    path.unlink()

    place_at(path).write(account)

    assert jsonx.decode(path.read_bytes()) == {"access_token": "new"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_changes_nothing_leaves_the_file_as_it_is(path: Path) -> None:
    path.write_bytes(b'{"access_token":"at"}')
    inode = path.stat().st_ino
    account = place_at(path).read()
    assert account is not None

    place_at(path).write(account)

    assert path.stat().st_ino == inode


def test_the_lock_is_the_one_that_was_handed_in_and_new_each_time(path: Path) -> None:
    held = Held()
    place = place_at(path, held)

    for _ in range(2):
        with place.lock():
            pass

    assert held.times == 2


@posix_only
def test_i41_links_pipes_folders_and_second_names_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(THEIRS)
    (tmp_path / "target").chmod(0o644)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "second").write_bytes(THEIRS)
    (tmp_path / "third").hardlink_to(tmp_path / "second")
    account = refreshed(parse(THEIRS, 0))

    for name in ("link", "pipe", "folder", "second"):
        with pytest.raises(StateError):
            place_at(tmp_path / name).read()
        with pytest.raises(StateError):
            place_at(tmp_path / name).write(account)

    assert (tmp_path / "target").read_bytes() == (tmp_path / "second").read_bytes() == THEIRS
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is empty"),
        (b'{\n  "access_', "line 2, column 11: Input data was truncated"),
        (b'{"access_token": 5}', "line 1, column 2: Expected str, got int"),
    ],
)
def test_f53_a_damaged_file_is_told_and_never_written(path: Path, data: bytes, problem: str) -> None:
    path.write_bytes(data)

    with pytest.raises(StateError, match=problem) as caught:
        place_at(path).read()

    assert caught.value.hint
    if data and b"5" not in data:
        with pytest.raises(StateError, match="damaged"):
            place_at(path).write(refreshed(parse(THEIRS, 0)))
    assert path.read_bytes() == data


@posix_only
def test_f51_a_disk_that_fails_leaves_their_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(THEIRS)
    account = refreshed(place_at(path).read())

    def failing(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(StateError, match="No space left"):
        place_at(path).write(account)

    assert path.read_bytes() == THEIRS
    assert [each.name for each in path.parent.iterdir()] == ["oauth_creds.json"]
