"""RELIABILITY R11, F51, F52, F53, I39, I41, I42."""

import errno
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import GatewayError, InvalidRequest, StateError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.signin.place import Place
from iflow_cli_proxy.state.account_file import encode_account
from iflow_cli_proxy.state.accounts import AccountStore, DamagedFile, is_account_id
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.state.lock import FileLock
from iflow_cli_proxy.state.sealing import KeySeal, Seal
from tests.support.fake_clock import FakeClock
from tests.support.saved_accounts import full_account, saved_account

ROOT = Path(__file__).parents[3]
KEYRING, PASSPHRASE = KeySeal("keyring", bytes(32)), KeySeal("passphrase", bytes(31) + b"\1")
EARLY = b'{"id": "one", "provider": "x", "name": "me", "type": "oauth", "access_token": "at", "created_at": 1600000000}'
NEWER = b'{"version": 99, "id": "one"}'
posix_only = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")


def both(kind: str) -> Seal | None:
    return {"keyring": KEYRING, "passphrase": PASSPHRASE}[kind]


def locked(kind: str) -> Seal | None:
    raise StateError("The keyring is locked.", hint="unlock it")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "accounts"


def store_in(folder: Path, **given: Any) -> AccountStore:
    return AccountStore(folder, clock=FakeClock(), **given)


@pytest.fixture
def store(folder: Path) -> AccountStore:
    return store_in(folder)


def renamed(account: SavedAccount) -> SavedAccount:
    return replace(account, label="new")


def loaded_ids(store: AccountStore) -> list[str]:
    return [account.id for account in store.load().accounts]


def only_damage(store: AccountStore) -> DamagedFile:
    [damaged] = store.load().damaged
    return damaged


# --- keeping ------------------------------------------------------------------------------------------------------


def test_an_empty_or_missing_folder_has_no_accounts_and_is_not_made(store: AccountStore, folder: Path) -> None:
    assert store.load().accounts == ()
    assert store.stamps() == {}
    assert not folder.exists()


def test_what_is_created_is_loaded_with_the_moment_of_writing(store: AccountStore) -> None:
    store.create(full_account())
    store.create(saved_account("two", created_at=0.0))

    one, two = store.load().accounts
    assert one == replace(full_account(), updated_at=FakeClock().now())
    assert two.created_at == FakeClock().now()


def test_accounts_are_sorted_by_provider_and_label(store: AccountStore) -> None:
    for id, provider, label in (("a", "qwen", "a"), ("b", "iflow", "z"), ("c", "iflow", "b")):
        store.create(saved_account(id, provider=provider, label=label))

    assert loaded_ids(store) == ["c", "b", "a"]


def test_an_id_is_created_once(store: AccountStore) -> None:
    store.create(saved_account())

    with pytest.raises(StateError, match="exists already"):
        store.create(saved_account(label="other"))
    assert store.load().accounts[0].label == "one@example.com"


def test_a_change_is_seen_by_everybody_and_keeps_what_nobody_knows(store: AccountStore, folder: Path) -> None:
    store.create(full_account())

    changed = store.change("one", renamed)

    assert changed.label == "new"
    assert store_in(folder).load().accounts == (changed,)
    assert changed.extras == full_account().extras


def test_a_change_that_changes_nothing_does_not_write(store: AccountStore) -> None:
    store.create(saved_account())
    before = store.stamps()

    store.change("one", lambda account: account)

    assert store.stamps() == before


def test_a_change_of_nobody_and_a_change_of_the_id_are_errors(store: AccountStore) -> None:
    with pytest.raises(StateError, match="no such account"):
        store.change("one", renamed)
    store.create(saved_account())
    with pytest.raises(StateError, match="keeps its id"):
        store.change("one", lambda account: replace(account, id="two"))
    assert loaded_ids(store) == ["one"]


def test_an_edit_that_raises_changes_nothing_and_frees_the_lock(store: AccountStore, folder: Path) -> None:
    store.create(saved_account())

    with pytest.raises(ZeroDivisionError):
        store.change("one", lambda account: replace(account, request_count=1 // 0))
    with FileLock(folder / "one.json", wait_s=0):
        pass


def test_deleting_leaves_no_secret_behind_and_says_whether_there_was_one(store: AccountStore, folder: Path) -> None:
    store.create(saved_account())
    (folder / "one.json.v0.bak").write_bytes(EARLY)
    (folder / ".one.json.abc.tmp").write_bytes(EARLY)

    assert store.delete("one")
    assert not store.delete("one")
    assert [each.name for each in folder.iterdir()] == ["one.json.lock"]


def test_stamps_differ_after_a_change_and_name_only_accounts(store: AccountStore, folder: Path) -> None:
    store.create(saved_account())
    (folder / "notes.txt").write_bytes(b"x")
    (folder / ".hidden.json").write_bytes(b"x")
    before = store.stamps()
    store.change("one", renamed)

    assert list(before) == ["one.json"]
    assert store.stamps() != before


def test_a_place_reads_and_writes_one_account_under_its_lock(store: AccountStore) -> None:
    place: Place = store.place("one")
    assert place.read() is None
    store.create(saved_account())

    with place.lock():
        account = place.read()
        assert account is not None
        place.write(renamed(account))

    assert store.load().accounts[0].label == "new"


def test_a_deleted_account_does_not_come_back_by_a_late_write(store: AccountStore) -> None:
    store.create(saved_account())
    place = store.place("one")
    store.delete("one")

    with pytest.raises(StateError, match="no such account"), place.lock():
        place.write(saved_account())
    assert loaded_ids(store) == []


# --- names --------------------------------------------------------------------------------------------------------


BAD_IDS = [
    "../x", "a/b", "a\\b", ".", "..", "", "a" * 64, "a" * 300, "a\0", "CON", "con", "nul", "com1", "-a", "_a",
    "ä", "\u0430", "%2e%2e", "a.b", "a b", "a\n", "A",
]  # fmt: skip


@pytest.mark.parametrize("id", BAD_IDS, ids=repr)
def test_i39_a_name_that_is_no_id_is_refused_everywhere(store: AccountStore, id: str, tmp_path: Path) -> None:
    uses: list[Callable[[], object]] = [
        lambda: store.place(id),
        lambda: store.create(saved_account(id)),
        lambda: store.change(id, renamed),
        lambda: store.delete(id),
    ]
    for use in uses:
        with pytest.raises(InvalidRequest) as caught:
            use()
        assert caught.value.param == "id"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("id", ["a", "0", "a" * 63, "f47ac10b-58cc-4372-a567-0e02b2c3d479", "console", "qwen_default"])
def test_i39_ordinary_ids_are_fine(id: str) -> None:
    assert is_account_id(id)


def test_a_file_with_another_name_than_its_id_is_damaged(store: AccountStore, folder: Path) -> None:
    store.create(saved_account())
    write_private(folder / "copy.json", (folder / "one.json").read_bytes())
    write_private(folder / "My Account.json", (folder / "one.json").read_bytes())

    assert loaded_ids(store) == ["one"]
    assert [each.path.name for each in store.load().damaged] == ["My Account.json", "copy.json"]
    assert "it should be copy" in store.load().damaged[1].problem


# --- damage -------------------------------------------------------------------------------------------------------


def put(folder: Path, how: str) -> None:
    """A file `one.json` that cannot be used."""
    path = folder / "one.json"
    match how:
        case "folder":
            path.mkdir()
        case "link":
            write_private(folder / "target", encode_account(saved_account()))
            path.symlink_to(folder / "target")
        case "pipe":
            os.mkfifo(path)
        case "second name":
            write_private(path, encode_account(saved_account()))
            (folder / "second").hardlink_to(path)
        case "owner":
            write_private(path, encode_account(saved_account()))
            os.chown(path, 12345, 12345)
        case "cut":
            write_private(path, encode_account(saved_account())[:300])
        case _:
            write_private(path, {"empty": b"", "UTF-8": b'"\xff"', "type": b"[]"}[how])


DAMAGE = {
    "empty": "it is empty",
    "cut": "line 13, column ",
    "UTF-8": "not valid UTF-8",
    "type": "Expected an object",
    "folder": "folder|directory",
    "link": "it is a link",
    "pipe": "no ordinary file",
    "second name": "second name",
    "owner": "another user",
}


@posix_only
@pytest.mark.parametrize("how", DAMAGE)
def test_f53_i41_one_bad_file_is_told_and_the_others_load(store: AccountStore, folder: Path, how: str) -> None:
    if how == "owner" and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    store.create(saved_account("two"))
    put(folder, how)

    assert loaded_ids(store) == ["two"]
    damaged = only_damage(store)
    assert damaged.path == folder / "one.json"
    assert not damaged.is_intact
    assert re.search(DAMAGE[how], damaged.problem)
    for use in (lambda: store.change("one", renamed), lambda: store.place("one").write(saved_account())):
        with pytest.raises(StateError):
            use()


@posix_only
@pytest.mark.parametrize("how", DAMAGE)
def test_f53_a_bad_file_is_set_aside_whole_and_overwrites_nothing(store: AccountStore, folder: Path, how: str) -> None:
    if how == "owner" and os.geteuid() != 0:
        pytest.skip("only root can give files away")
    store.create(saved_account("two"))
    (folder / "one.json.damaged").write_bytes(b"earlier")
    put(folder, how)
    inode = (folder / "one.json").lstat().st_ino

    aside = store.set_aside(only_damage(store))

    assert aside.name == "one.json.damaged-2"
    assert aside.lstat().st_ino == inode
    assert (folder / "one.json.damaged").read_bytes() == b"earlier"
    assert store.load().damaged == ()
    assert loaded_ids(store) == ["two"]


def test_a_file_that_was_repaired_meanwhile_is_not_set_aside(store: AccountStore, folder: Path) -> None:
    write_private(folder / "one.json", b"{")
    damaged = only_damage(store)
    write_private(folder / "one.json", encode_account(saved_account()))

    with pytest.raises(StateError, match="in order"):
        store.set_aside(damaged)
    assert loaded_ids(store) == ["one"]


def test_set_aside_stays_in_its_folder(store: AccountStore, folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "one.json").write_bytes(b"{")

    with pytest.raises(StateError):
        store.set_aside(DamagedFile(path=tmp_path / "one.json", problem="made up"))
    assert (tmp_path / "one.json").read_bytes() == b"{"


def test_a_badly_named_file_can_be_set_aside(store: AccountStore, folder: Path) -> None:
    write_private(folder / "[a] *.json", encode_account(saved_account()))

    assert store.set_aside(only_damage(store)).name == "[a] *.json.damaged"


@posix_only
def test_i42_files_are_private_in_a_private_folder_and_loose_ones_are_closed(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = os.umask(0)
    try:
        store_in(folder).create(saved_account())
    finally:
        os.umask(before)
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    (folder / "one.json").chmod(0o644)

    with caplog.at_level(logging.WARNING):
        assert loaded_ids(store_in(folder)) == ["one"]

    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "one.json").stat().st_mode & 0o777 == 0o600
    assert [record.getMessage() for record in caplog.records] == [
        "accounts was open to other users (mode 777); closed it",
        "one.json was open to other users (mode 644); closed it",
    ]


def test_a_folder_that_is_none_is_one_error(store: AccountStore, folder: Path) -> None:
    folder.write_bytes(b"")

    with pytest.raises(StateError, match="folder of accounts cannot be read"):
        store.load()
    with pytest.raises(StateError):
        store.create(saved_account())


# --- versions -----------------------------------------------------------------------------------------------------


def test_an_early_file_loads_untouched_and_is_kept_beside_when_it_is_rewritten(
    store: AccountStore, folder: Path
) -> None:
    write_private(folder / "one.json", EARLY)

    assert store.load().accounts[0].label == "me"
    assert (folder / "one.json").read_bytes() == EARLY
    store.change("one", renamed)

    backup = folder / "one.json.v0.bak"
    assert backup.read_bytes() == EARLY
    assert backup.stat().st_mode & 0o777 == 0o600
    assert json.loads((folder / "one.json").read_bytes())["version"] == 1
    assert loaded_ids(store) == ["one"]


def test_a_backup_is_never_overwritten(store: AccountStore, folder: Path) -> None:
    write_private(folder / "one.json", EARLY)
    write_private(folder / "one.json.v0.bak", b"the first")

    store.change("one", renamed)

    assert (folder / "one.json.v0.bak").read_bytes() == b"the first"


def test_a_file_of_today_needs_no_backup(store: AccountStore, folder: Path) -> None:
    store.create(saved_account())
    store.change("one", renamed)

    assert sorted(each.name for each in folder.iterdir()) == ["one.json", "one.json.lock"]


def test_a_newer_file_is_told_and_never_touched(store: AccountStore, folder: Path) -> None:
    write_private(folder / "one.json", NEWER)
    damaged = only_damage(store)

    assert damaged.problem == "it was written by a newer iflow2api"
    assert damaged.is_intact
    for use in (
        lambda: store.change("one", renamed),
        lambda: store.place("one").write(saved_account()),
        lambda: store.set_aside(damaged),
        lambda: store.reseal(KEYRING),
    ):
        with pytest.raises(StateError, match="newer"):
            use()
    assert (folder / "one.json").read_bytes() == NEWER


# --- seals --------------------------------------------------------------------------------------------------------


def test_with_a_seal_new_and_changed_accounts_are_sealed(store: AccountStore, folder: Path) -> None:
    store.create(saved_account())
    sealing = store_in(folder, seal=KEYRING)
    sealing.create(saved_account("two"))

    sealing.change("one", renamed)

    for id in ("one", "two"):
        assert b"sk-key" not in (folder / f"{id}.json").read_bytes()
    assert [account.api_key.reveal() for account in sealing.load().accounts] == ["sk-key-of-one", "sk-key-of-two"]


@pytest.mark.parametrize("find_seal", [None, locked])
def test_without_its_key_a_sealed_account_is_told_and_never_touched(
    folder: Path, find_seal: Callable[[str], Seal | None] | None
) -> None:
    store_in(folder, seal=KEYRING).create(saved_account())
    before = (folder / "one.json").read_bytes()
    store = store_in(folder, find_seal=find_seal)
    damaged = only_damage(store)

    assert damaged.is_intact
    assert damaged.account is not None
    assert (damaged.account.label, bool(damaged.account.bearer)) == ("one@example.com", False)
    for use in (
        lambda: store.change("one", renamed),
        lambda: store.place("one").write(saved_account()),
        lambda: store.set_aside(damaged),
        lambda: store.reseal(None),
    ):
        with pytest.raises(StateError):
            use()
    assert (folder / "one.json").read_bytes() == before


def test_another_key_of_the_same_name_is_no_reason_to_set_anything_aside(folder: Path) -> None:
    store_in(folder, seal=KEYRING).create(saved_account())
    store = store_in(folder, seal=KeySeal("keyring", b"x" * 32))

    assert only_damage(store).is_intact
    with pytest.raises(StateError, match="another key"):
        store.change("one", renamed)


def test_what_is_sealed_stays_sealed_even_when_new_files_are_not(folder: Path) -> None:
    store_in(folder, seal=KEYRING).create(saved_account())
    store = store_in(folder, find_seal=both)

    store.change("one", renamed)

    assert b"sk-key" not in (folder / "one.json").read_bytes()


def test_a_key_is_looked_for_once_for_many_files(folder: Path) -> None:
    for id in ("one", "two", "three"):
        store_in(folder, seal=KEYRING).create(saved_account(id))
    asked: list[str] = []

    def find(kind: str) -> Seal | None:
        asked.append(kind)
        return locked(kind)

    store = store_in(folder, find_seal=find)
    assert len(store.load().damaged) == 3
    assert asked == ["keyring"]
    store.load()
    assert asked == ["keyring", "keyring"]


def test_a_key_that_was_found_is_kept(folder: Path) -> None:
    store_in(folder, seal=KEYRING).create(saved_account())
    asked: list[str] = []

    def find(kind: str) -> Seal | None:
        asked.append(kind)
        return both(kind)

    store = store_in(folder, find_seal=find)
    store.load()
    store.change("one", renamed)
    assert asked == ["keyring"]


@pytest.mark.parametrize("new", [None, KEYRING, PASSPHRASE])
@pytest.mark.parametrize("old", [None, KEYRING, PASSPHRASE])
def test_resealing_moves_every_account_and_a_second_time_nothing(
    folder: Path, old: Seal | None, new: Seal | None
) -> None:
    for id in ("one", "two"):
        store_in(folder, seal=old).create(saved_account(id))
    before = store_in(folder, find_seal=both).load()

    moved = store_in(folder, seal=old).reseal(new)

    assert moved == (0 if old is new else 2)
    assert store_in(folder, seal=new).load() == before
    assert store_in(folder, find_seal=both).reseal(new) == 0
    assert (b"sk-key" in (folder / "one.json").read_bytes()) is (new is None)


def test_a_folder_sealed_in_three_ways_loads_and_is_brought_together(folder: Path) -> None:
    for id, seal in (("a", None), ("b", KEYRING), ("c", PASSPHRASE)):
        store_in(folder, seal=seal).create(saved_account(id))
    store = store_in(folder, seal=KEYRING, find_seal=both)

    assert len(store.load().accounts) == 3
    assert store.reseal(KEYRING) == 2
    assert len(store_in(folder, seal=KEYRING).load().accounts) == 3


def test_resealing_leaves_damaged_files_and_tells_of_open_copies(
    store: AccountStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_private(folder / "one.json", EARLY)
    write_private(folder / "two.json", b"{")
    write_private(folder / "three.json.damaged", b"{")

    with caplog.at_level(logging.WARNING):
        assert store.reseal(KEYRING) == 1

    assert (folder / "two.json").read_bytes() == b"{"
    assert [path.name for path in store.open_copies()] == ["one.json.v0.bak", "three.json.damaged"]
    assert "2 older copies" in caplog.text


# --- crashes, full disks and other processes ----------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
def test_f51_a_disk_that_fails_leaves_the_old_file_and_no_temporary_one(
    store: AccountStore, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    store.create(saved_account())
    before = (folder / "one.json").read_bytes()
    real = getattr(os, call)

    def failing(*args: Any, **kwargs: Any) -> Any:
        if call == "open" and not args[1] & os.O_EXCL:
            return real(*args, **kwargs)
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, call, failing)
        with pytest.raises(StateError, match=os.strerror(code)) as caught:
            store.change("one", renamed)

    assert str(folder) not in caught.value.message
    assert (folder / "one.json").read_bytes() == before
    assert sorted(each.name for each in folder.iterdir()) == ["one.json", "one.json.lock"]


@posix_only
def test_f52_a_kill_before_any_step_of_any_job_loses_no_account(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.crash_accounts", tmp_path],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    seen = json.loads(done.stdout)
    assert seen["wrong"] == []
    assert set(seen["steps"]) == {"change", "migrate", "seal", "open"}
    assert min(seen["steps"].values()) >= 10


def test_what_a_killed_writer_left_is_removed_by_the_next_one(store: AccountStore, folder: Path) -> None:
    store.create(saved_account())
    (folder / ".one.json.abc.tmp").write_bytes(b"half")
    (folder / ".one.json.v0.bak.abc.tmp").write_bytes(b"half")

    store.change("one", renamed)

    assert sorted(each.name for each in folder.iterdir()) == ["one.json", "one.json.lock"]


COUNTER = """
import sys
from dataclasses import replace
from pathlib import Path
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.state.accounts import AccountStore
store = AccountStore(Path(sys.argv[1]), clock=SystemClock())
sys.stdin.readline()
for _ in range(40):
    store.change("one", lambda old: replace(old, request_count=old.request_count + 1))
"""


def test_two_processes_and_two_threads_that_change_one_account_lose_no_change(
    store: AccountStore, folder: Path
) -> None:
    store.create(saved_account())
    writers = [
        subprocess.Popen([sys.executable, "-c", COUNTER, folder], stdin=subprocess.PIPE, text=True) for _ in range(2)
    ]

    def count() -> None:
        for _ in range(40):
            store.change("one", lambda old: replace(old, request_count=old.request_count + 1))

    threads = [threading.Thread(target=count) for _ in range(2)]
    try:
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [writer.wait(timeout=30) for writer in writers] == [0, 0]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()

    assert store.load().accounts[0].request_count == 160


def test_start_up_without_encryption_imports_neither_library(folder: Path) -> None:
    store_in(folder).create(saved_account())
    script = (
        "import sys, pathlib\n"
        "from iflow_cli_proxy.core.clock import SystemClock\n"
        "from iflow_cli_proxy.state.accounts import AccountStore\n"
        "from iflow_cli_proxy.state import bundle, vault\n"
        "seal = vault.open_seal('none', pathlib.Path(sys.argv[1]), {}, None)\n"
        "assert AccountStore(pathlib.Path(sys.argv[1]), seal=seal, clock=SystemClock()).load().accounts\n"
        "sys.exit(bool({'cryptography', 'keyring'} & set(sys.modules)))\n"
    )

    assert subprocess.run([sys.executable, "-c", script, folder], check=False, timeout=30).returncode == 0


def test_i45_errors_and_reports_never_show_a_secret(folder: Path) -> None:
    store = store_in(folder, seal=KEYRING)
    store.create(saved_account())
    store.create(saved_account("two", api_key=Secret("sk-key-canary")))
    (folder / "two.json").write_bytes(encode_account(saved_account("two"))[:-30])
    plain = store_in(folder)
    shown = [repr(plain.load())]

    for id in ("one", "two"):
        with pytest.raises(GatewayError) as caught:
            plain.change(id, renamed)
        shown.append(f"{caught.value} {caught.value.detail} {caught.value.hint}")

    assert not any(secret in each for secret in ("sk-key", "at-of", "rt-of") for each in shown)
