"""A sign-in of another program as a place: its lock and ours, its file and the copies of its key."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.state.lock import FileLock
from iflow_cli_proxy.wiring.known import KnownAccount
from iflow_cli_proxy.wiring.live_place import LivePlace
from tests.support.wiring import accounts, around, iflow_files, qwen_file, write_json


def live(home: Path) -> tuple[KnownAccount, LivePlace]:
    (known,) = accounts("", home, clock=SystemClock()).known()
    assert isinstance(known.place, LivePlace)
    return known, known.place


def renewed(saved: SavedAccount) -> SavedAccount:
    assert saved.tokens is not None
    key = Secret("sk-newer-0123456789") if saved.api_key else Secret()
    return replace(saved, api_key=key, tokens=replace(saved.tokens, access_token=Secret("at-newer-0123456789")))


def tree(path: Path) -> dict[str, object]:
    found = jsonx.decode(path.read_bytes())
    assert isinstance(found, dict)
    return found


def test_both_locks_are_held_together_and_given_back(tmp_path: Path) -> None:
    file = qwen_file(tmp_path)
    _, place = live(tmp_path)
    own = around(tmp_path)[0].accounts_dir / "qwen-cli.json"
    with place.lock():
        assert (file.parent / "oauth_creds.lock").exists()
        with pytest.raises(StateError), FileLock(own, wait_s=0):
            pass
    assert not (file.parent / "oauth_creds.lock").exists()
    with FileLock(own, wait_s=0):
        pass


def test_ours_is_given_back_when_the_other_programs_cannot_be_had(tmp_path: Path) -> None:
    file = qwen_file(tmp_path)
    _, place = live(tmp_path)
    file.parent.rename(tmp_path / "moved away")
    file.parent.touch()
    with pytest.raises(StateError), place.lock():
        pass
    with FileLock(around(tmp_path)[0].accounts_dir / "qwen-cli.json", wait_s=0):
        pass


def test_it_was_refreshed_when_its_file_was_written(tmp_path: Path) -> None:
    file = qwen_file(tmp_path)
    _, place = live(tmp_path)
    found = place.read()
    assert found is not None
    assert found.refreshed_at == file.stat().st_mtime


def test_a_sign_in_that_is_gone_or_empty_is_nothing(tmp_path: Path) -> None:
    file = qwen_file(tmp_path)
    _, place = live(tmp_path)
    write_json(file, {"theirs": "kept"})
    assert place.read() is None
    file.unlink()
    assert place.read() is None


def test_a_newer_key_goes_to_every_place_that_held_the_old_one(tmp_path: Path) -> None:
    folder = iflow_files(tmp_path, apiKey="sk-first-0123456789", theme="dark")
    known, place = live(tmp_path)
    with place.lock():
        place.write(renewed(known.saved))
    assert tree(folder / "oauth_creds.json")["access_token"] == "at-newer-0123456789"
    assert tree(folder / "settings.json") == {"apiKey": "sk-newer-0123456789", "theme": "dark"}
    assert not (folder / "iflow_accounts.json").exists(), "what was not there is not made"


def test_a_copy_that_cannot_be_written_is_told_and_the_sign_in_is_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = iflow_files(tmp_path, apiKey="sk-first-0123456789")
    known, place = live(tmp_path)
    (folder / "settings.json").write_text("{damaged")
    with place.lock(), caplog.at_level(logging.WARNING, "iflow2api.accounts"):
        place.write(renewed(known.saved))
    assert tree(folder / "oauth_creds.json")["apiKey"] == "sk-newer-0123456789"
    assert (folder / "settings.json").read_text() == "{damaged"
    assert "settings.json" in caplog.text
    assert "sk-" not in caplog.text


@pytest.mark.parametrize("make", [qwen_file, lambda home: iflow_files(home) / "oauth_creds.json"])
def test_a_note_without_a_newer_credential_leaves_the_file_alone(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    file = make(tmp_path)
    known, place = live(tmp_path)
    file.write_bytes(jsonx.encode(tree(file)))
    os.utime(file, (1, 1_700_000_000))
    before = file.read_bytes()
    with place.lock():
        place.write(replace(known.saved, refresh_failures=1, last_error="Busy.", state=AccountState.NEEDS_LOGIN))
    assert (file.read_bytes(), file.stat().st_mtime) == (before, 1_700_000_000)


def test_a_sign_in_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    folder = iflow_files(tmp_path)
    known, place = live(tmp_path)
    (folder / "oauth_creds.json").write_text("{damaged")
    with place.lock(), pytest.raises(StateError):
        place.write(renewed(known.saved))
