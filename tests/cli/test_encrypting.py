"""`config set security.encrypt`: the accounts move first, then the setting is saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.state.accounts import AccountStore
from tests.support.cli import CliResult, run_cli
from tests.support.keyrings import LockedKeyring, MemoryKeyring
from tests.support.saved_accounts import saved_account

SECRETS = ("sk-key-of-", "at-of-", "rt-of-")
WORDS = "four words and more"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    store = AccountStore(tmp_path / "accounts", clock=SystemClock())
    for name in ("one", "two"):
        store.create(saved_account(name))
    return tmp_path


def encrypt(home: Path, kind: str, *, stdin: str = "", **env: str) -> CliResult:
    return run_cli("config", "set", "security.encrypt", kind, env={"IFLOW2API_HOME": str(home), **env}, stdin=stdin)


def text_of(home: Path) -> str:
    return "".join(path.read_text() for path in sorted((home / "accounts").glob("*.json")))


def is_open(home: Path) -> bool:
    return all(secret in text_of(home) for secret in SECRETS)


def is_sealed(home: Path) -> bool:
    return not any(secret in text_of(home) for secret in SECRETS)


def use(monkeypatch: pytest.MonkeyPatch, backend: MemoryKeyring) -> None:
    monkeypatch.setattr("keyring.core._keyring_backend", backend)


def test_accounts_move_into_the_keyrings_seal_and_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, MemoryKeyring())

    done = encrypt(home, "keyring")
    assert (done.code, is_sealed(home)) == (0, True)
    assert "2 account files were rewritten" in done.err
    assert run_cli("config", "get", "security.encrypt", env={"IFLOW2API_HOME": str(home)}).out == "keyring\n"

    assert encrypt(home, "none").code == 0
    assert is_open(home)


def test_accounts_move_from_a_passphrase_to_the_keyring(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, MemoryKeyring())
    given = {"IFLOW2API_PASSPHRASE": WORDS}

    assert encrypt(home, "passphrase", **given).code == 0
    assert is_sealed(home)
    assert (home / "vault.json").stat().st_mode & 0o777 == 0o600
    assert encrypt(home, "keyring", **given).code == 0
    assert is_sealed(home)
    assert not (home / "vault.json").exists(), "another passphrase can be chosen later"


def test_a_passphrase_is_changed_without_touching_an_account(home: Path) -> None:
    given = {"IFLOW2API_PASSPHRASE": WORDS}
    encrypt(home, "passphrase", **given)
    before = text_of(home)

    done = encrypt(home, "passphrase", stdin="another one\n", **given)
    assert (done.code, text_of(home)) == (0, before)
    assert encrypt(home, "none", **given).code == 1
    assert encrypt(home, "none", IFLOW2API_PASSPHRASE="another one").code == 0
    assert is_open(home)


@pytest.mark.parametrize(
    ("env", "words"),
    [({}, "IFLOW2API_PASSPHRASE"), ({"IFLOW2API_PASSPHRASE": "wrong"}, "The passphrase is wrong.")],
)
def test_without_the_right_passphrase_nothing_changes(home: Path, env: dict[str, str], words: str) -> None:
    encrypt(home, "passphrase", IFLOW2API_PASSPHRASE=WORDS)
    before = text_of(home)

    done = encrypt(home, "none", **env)
    assert (done.code, text_of(home)) == (1, before)
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_locked_keyring_is_a_clear_message(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, LockedKeyring())

    done = encrypt(home, "keyring")
    assert done.code == 1
    assert "The keyring is locked." in done.err
    assert "Traceback" not in done.err
    assert is_open(home)
    assert not (home / "overrides.toml").exists()


def test_another_kind_is_refused_before_anything_moves(home: Path) -> None:
    done = encrypt(home, "rot13")
    assert done.code == 2
    assert is_open(home)


def test_a_listing_needs_no_passphrase(home: Path) -> None:
    encrypt(home, "passphrase", IFLOW2API_PASSPHRASE=WORDS)

    listed = run_cli("token", "list", env={"IFLOW2API_HOME": str(home), "HOME": str(home)})
    assert listed.code == 0
    assert "one@example.com" in listed.out


def test_accounts_that_are_not_sealed_yet_are_not_called_so(home: Path) -> None:
    refused = encrypt(home, "passphrase")

    assert refused.code == 1
    assert "A new passphrase is needed, and nobody is here to type it." in refused.err
    assert is_open(home)
