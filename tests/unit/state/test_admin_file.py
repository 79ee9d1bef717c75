from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.admin_file import AdminFile, PasswordHash

KEPT = PasswordHash(n=1 << 15, r=8, p=1, salt="ab" * 16, hash="cd" * 32)


@pytest.fixture
def file(tmp_path: Path) -> AdminFile:
    return AdminFile(tmp_path / "data" / "admin.json")


def test_what_is_saved_is_read_and_nobody_else_may_read_it(file: AdminFile) -> None:
    assert file.load() is None
    assert file.stamp() is None
    file.save(KEPT)

    assert file.load() == KEPT
    assert os.name != "posix" or file.path.stat().st_mode & 0o777 == 0o600
    before = file.stamp()
    file.save(replace(KEPT, salt="ef" * 16))
    assert file.stamp() != before


def test_the_first_one_is_not_overwritten_by_a_second_first_one(file: AdminFile) -> None:
    assert file.save_first(KEPT)
    assert not file.save_first(replace(KEPT, salt="ef" * 16))
    assert file.load() == KEPT


def told(**changes: object) -> bytes:
    password = {"n": 1 << 15, "r": 8, "p": 1, "salt": "ab" * 16, "hash": "cd" * 32}
    return jsonx.encode({"version": 1, "password": password | changes})


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{}", b"[]", b"\xff", b'{"version": 1, "password": "plain words"}', b'{"version": 2}',
        told(n=1), told(n=3 << 14), told(n=1 << 30), told(r=0), told(p=1000), told(salt=""), told(hash="xyz"),
        told(hash="ab"),
    ],
)  # fmt: skip
def test_a_damaged_file_opens_nothing_and_says_what_to_do(file: AdminFile, text: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(text)
    file.path.chmod(0o600)

    with pytest.raises(StateError) as raised:
        file.load()
    assert "admin password" in raised.value.hint
    with pytest.raises(StateError):
        file.save_first(KEPT)


def test_a_link_in_its_place_is_not_followed(file: AdminFile, tmp_path: Path) -> None:
    file.path.parent.mkdir()
    target = tmp_path / "else"
    target.write_bytes(told())
    file.path.symlink_to(target)

    with pytest.raises(StateError):
        file.load()
    with pytest.raises(StateError):
        file.save(KEPT)
    assert target.read_bytes() == told()
