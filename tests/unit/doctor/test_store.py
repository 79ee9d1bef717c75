from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.doctor.finding import Finding, Status
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.store import examine, judge_damage, remove_orphan
from iflow_cli_proxy.state.accounts import AccountStore, DamagedFile
from iflow_cli_proxy.state.lock import FileLock
from tests.support.machines import machine, write
from tests.support.saved_accounts import saved_account


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    return machine(tmp_path)


def store_of(here: Machine) -> AccountStore:
    return AccountStore(here.paths.accounts_dir, clock=here.clock)


def look(here: Machine, *live_ids: str, is_encrypted: bool = False) -> list[Finding]:
    return list(examine(here, store_of(here), live_ids, is_encrypted=is_encrypted))


def test_whole_accounts_are_nothing_to_talk_about(here: Machine) -> None:
    store_of(here).create(saved_account("one"))

    assert look(here) == []


async def test_f53_a_damaged_account_is_set_aside_and_its_person_told_to_sign_in(here: Machine) -> None:
    store_of(here).create(saved_account("one"))
    damaged = write(here.paths.accounts_dir / "two.json", '{"id":')

    (found,) = look(here)

    assert (found.status, found.subject) == (Status.FAILURE, "~/gateway/accounts/two.json")
    assert "line 1, column" in found.text
    assert found.repair is not None
    assert await found.repair.do() == "it is called two.json.damaged now"
    assert found.after("").action == "sign in again: iflow2api login"
    assert not damaged.exists()
    assert damaged.with_name("two.json.damaged").read_text() == '{"id":'
    assert [one.id for one in store_of(here).load().accounts] == ["one"]


def test_an_account_that_only_lacks_its_key_is_never_set_aside(here: Machine) -> None:
    newer = DamagedFile(path=Path("/x/one.json"), problem="is of a newer version", hint="upgrade", is_intact=True)
    found = judge_damage(newer, store_of(here), here.home)

    assert found is not None
    assert (found.status, found.repair, found.action) == (Status.FAILURE, None, "upgrade")


def test_a_sealed_account_is_left_to_others(here: Machine) -> None:
    sealed = DamagedFile(path=Path("/x/one.json"), problem="is sealed", is_intact=True, account=saved_account("one"))

    assert judge_damage(sealed, store_of(here), here.home) is None


@pytest.mark.parametrize(("is_encrypted", "status"), [(False, Status.NOTE), (True, Status.WARNING)])
def test_older_copies_are_named_and_worse_beside_sealed_accounts(
    here: Machine, is_encrypted: bool, status: Status
) -> None:
    write(here.paths.accounts_dir / "one.json.v0.bak", "{}")

    (found,) = look(here, is_encrypted=is_encrypted)

    assert found.status is status
    assert "one.json.v0.bak" in found.action


async def test_i59_the_lock_of_an_account_that_is_gone_is_deleted_and_others_stay(here: Machine) -> None:
    store_of(here).create(saved_account("one"))
    folder = here.paths.accounts_dir
    orphan, live = write(folder / "gone.json.lock", ""), write(folder / "qwen-cli.json.lock", "")

    (found,) = look(here, "qwen-cli")

    assert found.subject == "~/gateway/accounts/gone.json.lock"
    assert found.repair is not None
    assert await found.repair.do() == "deleted"
    assert (orphan.exists(), live.exists(), (folder / "one.json.lock").exists()) == (False, True, True)


def test_i59_a_lock_that_is_held_or_locks_something_again_stays(here: Machine) -> None:
    orphan = write(here.paths.accounts_dir / "gone.json.lock", "")

    with FileLock(orphan.with_name("gone.json")), pytest.raises(StateError, match="held"):
        remove_orphan(orphan)
    store_of(here).create(saved_account("gone"))
    with pytest.raises(StateError, match="come back"):
        remove_orphan(orphan)

    assert orphan.exists()
