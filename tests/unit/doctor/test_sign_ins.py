from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.doctor.finding import Finding, Status
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.sign_ins import examine, kinds_here
from tests.support.machines import NOW, machine, write

KEY, OTHER_KEY = "sk-0123456789abcdef", "sk-fedcba9876543210"
OAUTH: dict[str, Any] = {
    "access_token": "at-0123456789", "refresh_token": "rt-0123456789", "expiry_date": (NOW + 90_000) * 1000,
    "apiKey": KEY, "userName": "ada",
}  # fmt: skip
QWEN: dict[str, Any] = {
    "access_token": "at-0123456789", "refresh_token": "rt-0123456789", "token_type": "Bearer",
    "resource_url": "portal.qwen.ai", "expiry_date": (NOW + 9000) * 1000,
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    return machine(tmp_path)


def look(here: Machine) -> list[Finding]:
    findings = list(examine(here))
    assert not [secret for secret in (KEY, OTHER_KEY, "0123456789") if secret in str(findings)]
    return findings


def test_without_any_sign_in_there_is_nothing_to_say(here: Machine) -> None:
    assert look(here) == []
    assert kinds_here(here) == []


def test_whole_sign_ins_are_fine(here: Machine) -> None:
    write(here.home / ".iflow" / "oauth_creds.json", OAUTH)
    write(here.home / ".qwen" / "oauth_creds.json", QWEN)

    iflow, qwen = look(here)

    assert (iflow.status, iflow.subject) == (Status.OK, "~/.iflow")
    assert (qwen.status, qwen.text) == (Status.OK, "1 sign-in of Qwen Code, whole")
    assert kinds_here(here) == ["iflow", "qwen"]


@pytest.mark.parametrize("damage", [{"expiry_date": None}, {"access_token": ""}])
def test_a_sign_in_that_a_failed_refresh_has_damaged_is_told(here: Machine, damage: dict[str, Any]) -> None:
    write(here.home / ".iflow" / "oauth_creds.json", OAUTH | damage)

    (found,) = look(here)

    assert (found.status, found.subject) == (Status.WARNING, "~/.iflow/oauth_creds.json")
    assert "damaged by a failed refresh" in found.text


def test_without_any_key_left_it_needs_a_login(here: Machine) -> None:
    write(here.home / ".iflow" / "oauth_creds.json", '{"access_token":')

    (found,) = look(here)

    assert (found.status, found.needs_login) == (Status.FAILURE, True)


def test_the_stale_key_trap_is_told_with_the_ends_of_both_keys(here: Machine) -> None:
    write(here.home / ".iflow" / "oauth_creds.json", OAUTH)
    write(here.home / ".iflow" / "iflow_accounts.json", {"iflowApiKey": OTHER_KEY})

    (found,) = look(here)

    assert found.status is Status.WARNING
    assert "sk-…3210" in found.text
    assert "sk-…cdef" in found.text


def test_the_same_key_twice_is_no_trap(here: Machine) -> None:
    write(here.home / ".iflow" / "oauth_creds.json", OAUTH)
    write(here.home / ".iflow" / "iflow_accounts.json", {"iflowApiKey": KEY})

    assert [one.status for one in look(here)] == [Status.OK]


def test_fields_that_qwen_code_wants_are_named_when_they_are_missing(here: Machine) -> None:
    write(here.home / ".qwen" / "oauth_creds.json", {**QWEN, "refresh_token": "", "expiry_date": "soon"})

    (found,) = look(here)

    assert "refresh_token, expiry_date" in found.text


def test_the_default_sign_in_beside_named_ones_is_a_warning(here: Machine) -> None:
    write(here.home / ".qwen" / "oauth_creds.json", QWEN)
    write(here.home / ".qwen" / "oauth_creds_bob.json", QWEN)

    (found,) = look(here)

    assert found.status is Status.WARNING
    assert "each refresh of the one ends the other" in found.text


@pytest.mark.skipif(os.name != "posix", reason="modes say nothing there")
async def test_an_open_file_of_another_program_is_closed_and_otherwise_left_as_it_is(here: Machine) -> None:
    path = write(here.home / ".qwen" / "oauth_creds.json", QWEN, mode=0o664)
    before = path.read_bytes()

    (found,) = look(here)

    assert found.repair is not None
    assert found.repair.will == "close ~/.qwen/oauth_creds.json to other users"
    assert await found.repair.do() == "its mode is 0600 now"
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (0o600, before)


@pytest.mark.skipif(os.name != "posix", reason="modes say nothing there")
def test_open_files_of_programs_whose_accounts_are_imported_are_told_too(here: Machine) -> None:
    for name in (".iflow2api/keys.json", ".iflow2api/config.json", ".cli-proxy-api/iflow-ada.json"):
        write(here.home / name, {}, mode=0o640)

    found = look(here)

    assert {one.subject for one in found} == {
        "~/.iflow2api/keys.json", "~/.iflow2api/config.json", "~/.cli-proxy-api/iflow-ada.json",
    }  # fmt: skip
    assert all(one.repair is not None for one in found)


async def test_a_lock_that_nobody_renews_is_taken_away_and_a_young_one_stays(here: Machine) -> None:
    folder = here.home / ".qwen"
    stale, young = write(folder / "oauth_creds.lock", "uuid"), write(folder / "oauth_creds_bob.lock", "uuid")
    os.utime(stale, (NOW - 11, NOW - 11))
    os.utime(young, (NOW - 9, NOW - 9))

    (found,) = look(here)

    assert (found.status, found.subject) == (Status.WARNING, "~/.qwen/oauth_creds.lock")
    assert found.repair is not None
    assert await found.repair.do() == "taken away"
    assert (stale.exists(), young.exists()) == (False, True)
