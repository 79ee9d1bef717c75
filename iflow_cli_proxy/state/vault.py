"""Where the key of sealed credentials is kept: in the keyring of the operating system, or wrapped by a passphrase.

Knows `vault.json`, the variables that hold a passphrase, and what may be wrong with a keyring. The passphrase opens a
random key and that key seals the accounts, so a new passphrase rewrites one file and no account. A key is made only
while nothing is sealed with a lost one. Imports of the extra `secure` happen on use.
"""

from __future__ import annotations

import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.state.account_file import sealed_by
from iflow_cli_proxy.state.atomic import read_private, remove_private, write_private
from iflow_cli_proxy.state.lock import FileLock
from iflow_cli_proxy.state.sealing import (
    COST,
    KEY_BYTES,
    WRAPPED_KEY_BYTES,
    Cost,
    KeySeal,
    Seal,
    WrongKey,
    decrypt,
    encrypt,
    extra_missing,
    stretch,
)

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

KEYRING: Final = "keyring"
PASSPHRASE: Final = "passphrase"
PASSPHRASE_VARIABLE: Final = "IFLOW2API_PASSPHRASE"
PASSPHRASE_FILE_VARIABLE: Final = "IFLOW2API_PASSPHRASE_FILE"

Ask: TypeAlias = Callable[[str], str]
"""Shows a prompt and returns what was typed, without echo."""

_FILE: Final = "vault.json"
_VERSION: Final = 1
_SERVICE: Final = "iflow2api"
_ENTRY: Final = "accounts"
_CONTEXT: Final = b"iflow2api vault"
_SALT_BYTES: Final = 16
_LONGEST_PASSPHRASE_BYTES: Final = 4096
_USE_PASSPHRASE: Final = "iflow2api config set security.encrypt passphrase"
_LOST: Final = "bring it back from a backup, or set the accounts aside and sign in again: iflow2api login"


def open_seal(
    kind: str, folder: Path, environ: Mapping[str, str], ask: Ask | None = None, *, cost: Cost = COST
) -> Seal | None:
    """The key of this kind for the accounts in `folder`, made if it is the first; None for `none`.

    Raises:
        StateError: with a hint: the extra or the keyring is missing or locked, or the passphrase is missing or wrong.
    """
    match kind:
        case "none":
            return None
        case "keyring":
            return _keyring_seal(folder)
        case "passphrase":
            return _passphrase_seal(folder, environ, ask, cost)
        case _:
            raise StateError(f"Nothing here knows how to open a seal named {kind!r}.", hint="upgrade iflow2api")


def vault_file(folder: Path) -> Path:
    return folder.parent / _FILE


def change_passphrase(folder: Path, seal: Seal, passphrase: str, *, cost: Cost = COST) -> None:
    """Let a new passphrase open what `seal`, opened with the old one, opens. One file changes, atomically."""
    if not isinstance(seal, KeySeal) or seal.name != PASSPHRASE:
        raise StateError("Only a passphrase can be changed for another.", hint=_USE_PASSPHRASE)
    path = vault_file(folder)
    with FileLock(path):
        write_private(path, _wrapped(seal.key, _not_empty(passphrase), cost))


def forget_passphrase(folder: Path) -> None:
    """Delete `vault.json` once no account needs it, so that another passphrase can be chosen later."""
    path = vault_file(folder)
    with FileLock(path):
        _refuse_if_needed(folder, PASSPHRASE, "Some accounts are still sealed with the passphrase.")
        remove_private(path)


# --- keyring ------------------------------------------------------------------------------------------------------


def _keyring_seal(folder: Path) -> Seal:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise extra_missing("keyring") from error
    try:
        with FileLock(vault_file(folder)):
            return KeySeal(KEYRING, _key_in(keyring.get_keyring(), folder))
    except (KeyringError, ImportError, OSError, RuntimeError) as error:  # ImportError: of a backend that was chosen
        raise _no_keyring(error) from error


def _key_in(backend: KeyringBackend, folder: Path) -> bytes:
    if (text := backend.get_password(_SERVICE, _ENTRY)) is None:
        _refuse_if_needed(folder, KEYRING, "The key of the sealed accounts is not in the keyring any more.")
        text = b64encode(os.urandom(KEY_BYTES)).decode("ascii")
        backend.set_password(_SERVICE, _ENTRY, text)
        if backend.get_password(_SERVICE, _ENTRY) != text:
            raise StateError("The keyring does not keep what is put into it.", hint=_USE_PASSPHRASE)
    key = _decoded(text)
    if len(key) != KEY_BYTES:
        raise StateError(f"The entry {_SERVICE} in the keyring is no key of ours.", hint=_LOST)
    return key


def _no_keyring(error: Exception) -> StateError:
    from keyring.errors import KeyringLocked, NoKeyringError

    match error:
        case NoKeyringError():
            return StateError("This machine has no keyring that can be used.", hint=_USE_PASSPHRASE)
        case KeyringLocked():
            return StateError("The keyring is locked.", hint="unlock it (sign in to the desktop) and try again")
        case _:
            return StateError(
                f"The keyring does not answer ({type(error).__name__}).",
                hint=f"unlock it and try again, or: {_USE_PASSPHRASE}",
            )


# --- passphrase ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Vault:
    """`vault.json`: the parameters of scrypt, and the accounts' key wrapped by what it makes of the passphrase."""

    version: int
    n: int
    r: int
    p: int
    salt: str
    key: str


def _passphrase_seal(folder: Path, environ: Mapping[str, str], ask: Ask | None, cost: Cost) -> Seal:
    path = vault_file(folder)
    if (seal := _opened(path, environ, ask)) is not None:
        return seal
    _refuse_if_needed(folder, PASSPHRASE, f"{_FILE}, which holds the key of the sealed accounts, is gone.")
    passphrase = find_passphrase(environ, ask, is_new=True)
    with FileLock(path):
        if read_private(path) is None:
            write_private(path, _wrapped(os.urandom(KEY_BYTES), passphrase, cost))
    seal = _opened(path, {PASSPHRASE_VARIABLE: passphrase}, None)
    if seal is None:
        raise StateError(f"{_FILE} has vanished.", detail=str(path), hint="try again")
    return seal


def _opened(path: Path, environ: Mapping[str, str], ask: Ask | None) -> Seal | None:
    data = read_private(path)
    if data is None:
        return None
    vault, cost = _read_vault(path, data)
    passphrase = find_passphrase(environ, ask)
    wrapping = stretch(passphrase, _decoded(vault.salt), cost)
    try:
        return KeySeal(PASSPHRASE, decrypt(wrapping, _decoded(vault.key), context=_CONTEXT))
    except WrongKey as error:
        raise StateError("The passphrase is wrong.", hint=f"type it again, or check {PASSPHRASE_VARIABLE}") from error


def _read_vault(path: Path, data: bytes) -> tuple[_Vault, Cost]:
    try:
        vault = jsonx.convert(jsonx.decode_strict(data), _Vault)
    except JsonError as error:
        raise StateError(f"{_FILE} is damaged.", detail=str(path), hint=_LOST) from error
    cost = Cost(n=vault.n, r=vault.r, p=vault.p)
    if vault.version > _VERSION:
        raise StateError(f"{_FILE} was written by a newer iflow2api.", detail=str(path), hint="upgrade iflow2api")
    if not cost.is_sane or len(_decoded(vault.key)) != WRAPPED_KEY_BYTES or not _decoded(vault.salt):
        raise StateError(f"{_FILE} is damaged.", detail=str(path), hint=_LOST)
    return vault, cost


def _wrapped(key: bytes, passphrase: str, cost: Cost) -> bytes:
    salt = os.urandom(_SALT_BYTES)
    wrapped = encrypt(stretch(passphrase, salt, cost), key, context=_CONTEXT)
    texts = {"salt": b64encode(salt).decode("ascii"), "key": b64encode(wrapped).decode("ascii")}
    return jsonx.indented({"version": _VERSION, "kdf": "scrypt", "n": cost.n, "r": cost.r, "p": cost.p, **texts})


def find_passphrase(environ: Mapping[str, str], ask: Ask | None, *, is_new: bool = False) -> str:
    """From the environment, a private file that it names, or the person; a new one is asked for twice."""
    if given := environ.get(PASSPHRASE_VARIABLE, ""):
        return given
    if named := environ.get(PASSPHRASE_FILE_VARIABLE, ""):
        return _in_file(Path(named).expanduser())
    if ask is None:
        what = "A new passphrase is needed" if is_new else "The accounts are sealed with a passphrase"
        raise StateError(
            f"{what}, and nobody is here to type it.",
            hint=f"set {PASSPHRASE_FILE_VARIABLE} to a file of mode 0600 that holds it",
        )
    passphrase = _not_empty(ask("New passphrase: " if is_new else "Passphrase: "))
    if is_new and ask("The same again: ") != passphrase:
        raise StateError("The two passphrases differ.", hint="try again")
    return passphrase


def _in_file(path: Path) -> str:
    """The first line. A link is followed: secrets that a container or systemd hands over often are links."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _bad_file(path, "is no ordinary file")
            if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
                raise _bad_file(path, "can be read by other users", hint="chmod 600 that file")
            text = file.read(_LONGEST_PASSPHRASE_BYTES).decode()
    except OSError as error:
        raise _bad_file(path, f"cannot be read: {error.strerror or type(error).__name__}") from error
    except UnicodeDecodeError as error:
        raise _bad_file(path, "is not UTF-8") from error
    return _not_empty(text.partition("\n")[0].removesuffix("\r"))


def _bad_file(path: Path, problem: str, *, hint: str = "") -> StateError:
    return StateError(f"The file named by {PASSPHRASE_FILE_VARIABLE} {problem}.", detail=str(path), hint=hint)


def _not_empty(passphrase: str) -> str:
    if not passphrase:
        raise StateError("The passphrase is empty.", hint="choose one of several words")
    return passphrase


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


def _refuse_if_needed(folder: Path, kind: str, message: str) -> None:
    """A new key must not take the place of one that accounts still need."""
    for path in folder.glob("*.json"):
        try:
            data = read_private(path)
        except StateError:
            continue
        if data is not None and sealed_by(data) == kind:
            raise StateError(message, hint=_LOST)
