import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keyring.backends.fail import Keyring as NoKeyring

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.account_file import encode_account
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.state.sealing import Cost, KeySeal, Seal
from iflow_cli_proxy.state.vault import (
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    change_passphrase,
    find_passphrase,
    forget_passphrase,
    open_seal,
    vault_file,
)
from tests.support.keyrings import ForgetfulKeyring, LockedKeyring, MemoryKeyring
from tests.support.saved_accounts import saved_account

CHEAP = Cost(n=2, p=1)
GOOD = {PASSPHRASE_VARIABLE: "correct horse"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "accounts"


@pytest.fixture(autouse=True)
def backend(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    """In place of the machine's own keyring, which no test may touch."""
    return use(monkeypatch, MemoryKeyring())


def use(monkeypatch: pytest.MonkeyPatch, backend: Any) -> Any:
    monkeypatch.setattr("keyring.core._keyring_backend", backend)
    return backend


def opened(kind: str, folder: Path, environ: dict[str, str] | None = None) -> Seal:
    seal = open_seal(kind, folder, environ or {}, cost=CHEAP)
    assert seal is not None
    return seal


def typing(*answers: str) -> Callable[[str], str]:
    left = list(answers)
    return lambda prompt: left.pop(0)


def is_same(one: Seal, other: Seal) -> bool:
    return other.open(one.seal(b"x", context=b""), context=b"") == b"x"


def seal_an_account(folder: Path, seal: Seal) -> None:
    write_private(folder / "one.json", encode_account(saved_account(), seal))


def test_no_encryption_is_no_seal_and_touches_nothing(folder: Path) -> None:
    assert open_seal("none", folder, {}, None) is None
    assert not folder.parent.joinpath("vault.json").exists()


def test_an_unknown_kind_is_an_error_with_a_hint(folder: Path) -> None:
    with pytest.raises(StateError, match="'tpm'") as caught:
        open_seal("tpm", folder, {}, None)
    assert caught.value.hint


# --- keyring ------------------------------------------------------------------------------------------------------


def test_the_keyring_keeps_one_key_which_is_found_again(folder: Path, backend: MemoryKeyring) -> None:
    first = opened("keyring", folder)

    assert first.name == "keyring"
    assert is_same(first, opened("keyring", folder))
    assert list(backend.kept) == [("iflow2api", "accounts")]


@pytest.mark.parametrize(
    ("broken", "message", "hint"),
    [
        (LockedKeyring, "keyring is locked", "unlock it"),
        (NoKeyring, "no keyring", "iflow2api config set security.encrypt passphrase"),
        (ForgetfulKeyring, "does not keep", "iflow2api config set security.encrypt passphrase"),
    ],
)
def test_a_keyring_that_does_not_work_is_a_clear_message(
    folder: Path, monkeypatch: pytest.MonkeyPatch, broken: type, message: str, hint: str
) -> None:
    use(monkeypatch, broken())

    with pytest.raises(StateError, match=message) as caught:
        opened("keyring", folder)
    assert hint in caught.value.hint


def test_a_keyring_whose_service_has_died_is_a_clear_message(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = use(monkeypatch, MemoryKeyring())

    def dead(service: str, username: str) -> str:
        raise ConnectionRefusedError("no bus")

    backend.get_password = dead
    with pytest.raises(StateError, match="does not answer"):
        opened("keyring", folder)


@pytest.mark.parametrize("text", ["", "nonsense", "QUJD"])
def test_a_keyring_entry_of_somebody_else_is_refused_and_left_alone(
    folder: Path, backend: MemoryKeyring, text: str
) -> None:
    backend.kept["iflow2api", "accounts"] = text

    with pytest.raises(StateError, match="no key of ours"):
        opened("keyring", folder)
    assert backend.kept["iflow2api", "accounts"] == text


def test_a_lost_key_is_not_replaced_while_accounts_need_it(folder: Path, backend: MemoryKeyring) -> None:
    seal_an_account(folder, opened("keyring", folder))
    backend.kept.clear()

    with pytest.raises(StateError, match="not in the keyring any more"):
        opened("keyring", folder)
    assert backend.kept == {}


def test_without_the_package_keyring_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(StateError, match="package keyring") as caught:
        opened("keyring", folder)
    assert caught.value.hint == "pip install 'iflow2api[secure]'"


# --- passphrase ---------------------------------------------------------------------------------------------------


def test_a_passphrase_makes_a_vault_once_and_opens_it_again(folder: Path) -> None:
    first = opened("passphrase", folder, GOOD)
    vault = vault_file(folder).read_bytes()

    assert is_same(first, opened("passphrase", folder, GOOD))
    assert vault_file(folder).read_bytes() == vault
    assert vault_file(folder).stat().st_mode & 0o777 == 0o600
    assert b"correct horse" not in vault
    assert jsonx.decode(vault)["kdf"] == "scrypt"


def test_a_wrong_passphrase_is_told_and_changes_nothing(folder: Path) -> None:
    opened("passphrase", folder, GOOD)

    with pytest.raises(StateError, match="passphrase is wrong") as caught:
        opened("passphrase", folder, {PASSPHRASE_VARIABLE: "wrong"})
    assert caught.value.hint
    opened("passphrase", folder, GOOD)


def test_two_machines_with_one_passphrase_have_different_keys(tmp_path: Path) -> None:
    seals = [opened("passphrase", tmp_path / name / "accounts", GOOD) for name in ("a", "b")]

    with pytest.raises(StateError, match="another key"):
        is_same(*seals)


def test_a_new_passphrase_rewrites_the_vault_alone(folder: Path) -> None:
    old = opened("passphrase", folder, GOOD)
    seal_an_account(folder, old)
    account = (folder / "one.json").read_bytes()

    change_passphrase(folder, old, "battery staple", cost=CHEAP)

    assert is_same(old, opened("passphrase", folder, {PASSPHRASE_VARIABLE: "battery staple"}))
    assert (folder / "one.json").read_bytes() == account
    with pytest.raises(StateError, match="passphrase is wrong"):
        opened("passphrase", folder, GOOD)


def test_only_the_passphrase_seal_can_get_another_passphrase(folder: Path) -> None:
    with pytest.raises(StateError):
        change_passphrase(folder, KeySeal("keyring", bytes(32)), "x", cost=CHEAP)
    with pytest.raises(StateError, match="empty"):
        change_passphrase(folder, opened("passphrase", folder, GOOD), "", cost=CHEAP)


def test_a_lost_vault_is_not_replaced_while_accounts_need_it(folder: Path) -> None:
    seal_an_account(folder, opened("passphrase", folder, GOOD))
    vault_file(folder).unlink()

    with pytest.raises(StateError, match="is gone"):
        opened("passphrase", folder, GOOD)
    assert not vault_file(folder).exists()


def test_the_vault_is_forgotten_only_when_no_account_needs_it(folder: Path) -> None:
    seal_an_account(folder, opened("passphrase", folder, GOOD))

    with pytest.raises(StateError, match="still sealed"):
        forget_passphrase(folder)
    (folder / "one.json").unlink()
    forget_passphrase(folder)
    forget_passphrase(folder)

    opened("passphrase", folder, {PASSPHRASE_VARIABLE: "another"})


def test_files_in_the_way_do_not_hide_that_a_key_is_needed(folder: Path) -> None:
    folder.mkdir()
    (folder / "a.json").mkdir()
    (folder / "b.json").write_bytes(b"{")

    opened("passphrase", folder, GOOD)


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"n": 1 << 40}, {"n": 3}, {"salt": "!"}, {"key": "AAAA"}, {"key": 5}, {"p": 10**6}]
)
def test_a_damaged_vault_is_told_and_kept(folder: Path, change: dict[str, Any]) -> None:
    opened("passphrase", folder, GOOD)
    damaged = jsonx.encode(jsonx.decode(vault_file(folder).read_bytes()) | change)
    vault_file(folder).write_bytes(damaged)

    with pytest.raises(StateError, match=r"is damaged|newer") as caught:
        opened("passphrase", folder, GOOD)
    assert caught.value.hint
    assert vault_file(folder).read_bytes() == damaged


def test_the_parameters_in_the_vault_are_the_ones_that_are_used(folder: Path) -> None:
    first = open_seal("passphrase", folder, GOOD, cost=Cost(n=4, p=2))

    assert first is not None
    assert is_same(first, opened("passphrase", folder, GOOD))


# --- where the passphrase comes from ------------------------------------------------------------------------------


def private_file(tmp_path: Path, data: bytes, mode: int = 0o600) -> dict[str, str]:
    path = tmp_path / "passphrase"
    path.write_bytes(data)
    path.chmod(mode)
    return {PASSPHRASE_FILE_VARIABLE: str(path)}


def test_the_environment_comes_before_the_file_and_the_file_before_the_person(tmp_path: Path) -> None:
    environ = private_file(tmp_path, b"from the file\r\nsecond line\n")
    ask = typing("typed")

    assert find_passphrase(GOOD | environ, ask) == "correct horse"
    assert find_passphrase(environ, ask) == "from the file"
    assert find_passphrase({}, ask) == "typed"


def test_a_new_passphrase_is_typed_twice(tmp_path: Path) -> None:
    assert find_passphrase({}, typing("a", "a"), is_new=True) == "a"
    with pytest.raises(StateError, match="differ"):
        find_passphrase({}, typing("a", "b"), is_new=True)


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="empty"):
        find_passphrase({}, typing(""))
    with pytest.raises(StateError, match="empty"):
        find_passphrase(private_file(tmp_path, b"\nsecond"), None)


def test_with_nobody_to_ask_the_error_names_the_variable() -> None:
    with pytest.raises(StateError, match="nobody is here") as caught:
        find_passphrase({}, None)
    assert PASSPHRASE_FILE_VARIABLE in caught.value.hint


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_i42_a_passphrase_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(StateError, match="can be read by other users"):
        find_passphrase(private_file(tmp_path, b"x", mode), None)


def test_a_passphrase_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for environ, message in (
        ({PASSPHRASE_FILE_VARIABLE: str(tmp_path / "missing")}, "cannot be read: No such file"),
        ({PASSPHRASE_FILE_VARIABLE: str(tmp_path)}, "cannot be read|no ordinary file"),
        (private_file(tmp_path, b"\xff\xfe"), "not UTF-8"),
    ):
        with pytest.raises(StateError, match=message) as caught:
            find_passphrase(environ, None)
        assert str(tmp_path) not in caught.value.message


def test_a_link_to_a_private_passphrase_file_is_followed(tmp_path: Path) -> None:
    private_file(tmp_path, b"x\n")
    (tmp_path / "link").symlink_to(tmp_path / "passphrase")

    assert find_passphrase({PASSPHRASE_FILE_VARIABLE: str(tmp_path / "link")}, None) == "x"
