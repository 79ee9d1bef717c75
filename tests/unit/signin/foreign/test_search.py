"""Looking into files and folders: everything readable is read, everything else is told, nothing is changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.signin.foreign.kinds import IFLOW_GO, QWEN_CODE
from iflow_cli_proxy.signin.foreign.places import POOL_VARIABLE, known_places
from iflow_cli_proxy.signin.foreign.search import (
    LARGEST_BYTES,
    MOST_FILES,
    Bundle,
    Found,
    Result,
    Unreadable,
    look_at,
    look_everywhere,
)

KEY = "sk-0123456789abcdef"
SETTINGS = {"selectedAuthType": "iflow", "apiKey": KEY}
OAUTH = {"access_token": "at-0123456789", "refresh_token": "rt-0123456789", "expiry_date": 1_760_172_800_000}
QWEN = {**OAUTH, "resource_url": "portal.qwen.ai"}


def _write(path: Path, tree: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jsonx.encode(tree))
    return path


def _found(results: list[Result]) -> list[Found]:
    return [result for result in results if isinstance(result, Found)]


def _problem(results: list[Result]) -> str:
    (only,) = results
    assert isinstance(only, Unreadable)
    return only.problem


def test_a_file_is_read_by_what_it_holds_whatever_its_name(tmp_path: Path) -> None:
    path = _write(tmp_path / "backup of last year.txt", QWEN)

    (found,) = _found(look_at(path, {}))

    assert (found.program, found.where) == ("Qwen Code", str(path))
    assert found.reading.accounts[0].imported_from == str(path)


def test_one_file_of_iflows_client_brings_the_others_of_the_sign_in(tmp_path: Path) -> None:
    settings = _write(tmp_path / "settings.json", SETTINGS)
    _write(tmp_path / "oauth_creds.json", {**OAUTH, "apiKey": "sk-newer6789abcdef"})

    (found,) = _found(look_at(settings, {}))

    (account,) = found.reading.accounts
    assert account.can_refresh
    assert account.api_key.reveal() == "sk-newer6789abcdef"


def test_a_folder_is_read_one_level_deep_and_strangers_in_it_are_passed_over(tmp_path: Path) -> None:
    _write(tmp_path / "settings.json", SETTINGS)
    _write(tmp_path / "iflow_accounts.json", {"active": None, "old": [], "iflowApiKey": KEY})
    _write(tmp_path / "oauth_creds_work.json", QWEN)
    _write(tmp_path / "package.json", {"name": "x"})
    _write(tmp_path / "mcp-oauth-tokens.json", [])
    _write(tmp_path / "below" / "settings.json", SETTINGS)

    results = look_at(tmp_path, {})

    assert [found.program for found in _found(results)] == ["iFlow CLI", "Qwen Code"]
    assert len(results) == 2


def test_a_damaged_file_with_a_telling_name_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    _write(tmp_path / "oauth_creds_a.json", QWEN)
    (tmp_path / "oauth_creds_b.json").write_text('{\n "access_token": "at')
    (tmp_path / "notes.json").write_text("{")

    results = look_at(tmp_path, {})

    assert len(_found(results)) == 1
    (bad,) = [result for result in results if isinstance(result, Unreadable)]
    assert bad.where.endswith("oauth_creds_b.json")
    assert "line 2" in bad.problem


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"apiKey": "sk', "line 1"),
        (b"[1, 2]", "not a JSON object"),
        (b"\xff\xfe{", "damaged"),
        (b"[" * 100_000 + b"]" * 100_000, "damaged"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "nested deeper"),
        (b'{"name": "package"}', "no sign-in that is known"),
        (b"x" * (LARGEST_BYTES + 1), "larger than any sign-in"),
    ],
)
def test_bad_content_is_one_clear_problem(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(data)

    assert said in _problem(look_at(path, {}))


def test_a_file_of_100_mb_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.touch()
    os.truncate(path, 100 << 20)

    assert "(100 MiB)" in _problem(look_at(path, {}))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
def test_i41_a_pipe_is_refused_and_holds_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "settings.json")

    assert "no ordinary file" in _problem(look_at(tmp_path / "settings.json", {}))


def test_i41_a_link_given_by_hand_is_followed(tmp_path: Path) -> None:
    target = _write(tmp_path / "real" / "creds.json", QWEN)
    (tmp_path / "oauth_creds.json").symlink_to(target)

    assert len(_found(look_at(tmp_path / "oauth_creds.json", {}))) == 1


def test_what_does_not_exist_is_said(tmp_path: Path) -> None:
    assert _problem(look_at(tmp_path / "none.json", {})) == "does not exist"
    (tmp_path / "dangling.json").symlink_to(tmp_path / "none.json")
    assert _problem(look_at(tmp_path / "dangling.json", {})) == "does not exist"
    assert "null" in _problem(look_at(Path("a\0b"), {}))


def test_a_folder_with_nothing_in_it_is_said_with_what_would_be_understood(tmp_path: Path) -> None:
    (only,) = look_at(tmp_path, {})
    assert isinstance(only, Unreadable)
    assert "holds no sign-in" in only.problem
    for name in ("oauth_creds.json", "keys.json", "data/accounts/*.json"):
        assert name in only.hint


def test_the_project_folder_of_iflow_go_stands_for_its_accounts(tmp_path: Path) -> None:
    below = tmp_path / "data" / "accounts"
    below.mkdir(parents=True)
    _write(below / "a.json", {"uuid": "0b5c2d5e-7d34-4f0e-9a51-0123456789ab", "api_key": "sk-0123456789abcdef"})
    _write(tmp_path / "package.json", {"name": "x"})

    for kind in (None, IFLOW_GO):
        results = [one for one in look_at(tmp_path, {}, kind) if isinstance(one, Found) and one.reading.accounts]
        assert [one.program for one in results] == ["iflow-go"]


def test_a_folder_is_read_up_to_a_limit(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 1):
        (tmp_path / f"{number:04}.json").write_text("{}")
    _write(tmp_path / "zzzz.json", QWEN)

    assert str(MOST_FILES) in _problem(look_at(tmp_path, {}))


def test_a_person_may_say_whose_file_it_is(tmp_path: Path) -> None:
    path = _write(tmp_path / "oauth_creds.json", OAUTH)

    (unknown,) = look_at(path, {})
    (found,) = _found(look_at(path, {}, QWEN_CODE))

    assert isinstance(unknown, Unreadable)
    assert "--from" in unknown.hint
    assert found.program == "Qwen Code"


def test_a_bundle_of_ours_is_recognised_and_left_closed(tmp_path: Path) -> None:
    path = tmp_path / "accounts.bundle"
    path.write_bytes(b"iflow2api bundle 1\n{}\nsealed")

    assert look_at(path, {}) == [Bundle(where=str(path), data=b"iflow2api bundle 1\n{}\nsealed")]


def test_every_known_place_is_looked_into_and_missing_ones_are_passed_over(tmp_path: Path) -> None:
    _write(tmp_path / ".iflow" / "settings.json", SETTINGS)
    _write(tmp_path / ".qwen" / "oauth_creds.json", OAUTH)
    _write(tmp_path / ".qwen" / "oauth_creds_work.json", QWEN)
    _write(tmp_path / ".iflow2api" / "config.json", {"api_key": KEY})
    _write(tmp_path / ".cli-proxy-api" / "iflow-me-1.json", {"type": "iflow", "email": "me", "api_key": KEY})

    results = look_everywhere(known_places({}, tmp_path, tmp_path), {})

    assert [found.program for found in _found(results)] == [
        "iFlow CLI", "Qwen Code", "Qwen Code", "iflow2api (config.json)", "CLIProxyAPI"
    ]  # fmt: skip
    assert len(results) == 5
    assert look_everywhere(known_places({}, tmp_path / "none", tmp_path), {}) == []


def test_a_pool_in_a_variable_wins_over_its_file(tmp_path: Path) -> None:
    _write(tmp_path / ".iflow2api" / "keys.json", {"accounts": {"a": {"api_key": "sk-of-the-file-0000"}}})
    environ = {POOL_VARIABLE: '{"accounts": {"b": {"api_key": "sk-of-the-variable"}}}'}

    (found,) = _found(look_everywhere(known_places(environ, tmp_path, tmp_path), environ))

    assert (found.where, found.reading.accounts[0].label) == (POOL_VARIABLE, "b")
    assert found.reading.accounts[0].imported_from == POOL_VARIABLE


def test_i45_a_variable_that_is_no_json_is_told_without_its_text(tmp_path: Path) -> None:
    environ = {POOL_VARIABLE: '{"accounts": sk-secret-secret'}

    problem = _problem(look_everywhere(known_places(environ, tmp_path, tmp_path), environ))

    assert "damaged" in problem
    assert "sk-secret" not in problem


def test_files_are_only_read(tmp_path: Path) -> None:
    path = _write(tmp_path / "oauth_creds.json", QWEN)
    path.chmod(0o644)
    before = path.stat()

    look_at(path, {})
    look_at(tmp_path, {})

    after = path.stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_ino) == (before.st_mode, before.st_mtime_ns, before.st_ino)
    assert list(tmp_path.iterdir()) == [path]
