"""Accounts as one encrypted file, to carry them to another machine.

Knows the form: a line that names it, a line of scrypt's parameters, then everything else sealed together with those two
lines. Refuses to read and write files; `unpack` gives back accounts, so nothing inside can choose a path.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.state.account_file import Unreadable, decode_account, encode_account
from iflow_cli_proxy.state.accounts import is_account_id
from iflow_cli_proxy.state.sealing import COST, Cost, Seal, WrongKey, decrypt, encrypt, stretch

LARGEST_BYTES: Final = 16 << 20
"""Read no more than one byte over this from a file that is to be unpacked."""

_VERSION: Final = 1
_MAGIC: Final = b"iflow2api bundle "
_SALT_BYTES: Final = 16
_LONGEST_HEAD_BYTES: Final = 1024
_WHAT: Final = "The bundle cannot be read"


@dataclass(frozen=True, kw_only=True)
class _Parameters:
    n: int
    r: int
    p: int
    salt: str


@dataclass(frozen=True, kw_only=True)
class _Content:
    accounts: list[Json]


def pack(accounts: Sequence[SavedAccount], passphrase: str, *, cost: Cost = COST) -> bytes:
    """Raises StateError: the passphrase is empty, or the extra `secure` is missing."""
    salt = os.urandom(_SALT_BYTES)
    parameters = {**asdict(cost), "salt": b64encode(salt).decode("ascii")}
    head = _MAGIC + b"%d\n" % _VERSION + jsonx.encode(parameters) + b"\n"
    content = jsonx.encode({"accounts": [jsonx.Raw(encode_account(account)) for account in accounts]})
    return head + encrypt(_key(passphrase, salt, cost), content, context=head)


def is_bundle(data: bytes) -> bool:
    """Whether a file says of itself that it is one."""
    return data.startswith(_MAGIC)


def unpack(data: bytes, passphrase: str) -> tuple[SavedAccount, ...]:
    """Raises StateError: no bundle, another version, cut, altered, or the wrong passphrase."""
    if len(data) > LARGEST_BYTES:
        raise _unreadable(f"it is larger than {LARGEST_BYTES >> 20} MB")
    head, parameters = _head(data)
    cost = Cost(n=parameters.n, r=parameters.r, p=parameters.p)
    salt = _decoded(parameters.salt)
    if not cost.is_sane or not salt:
        raise _unreadable("its second line is damaged")
    try:
        content = decrypt(_key(passphrase, salt, cost), data[len(head) :], context=head)
    except WrongKey as error:
        raise _unreadable(
            "the passphrase is wrong, or the file was cut or altered",
            hint="type the passphrase again, or copy the file again",
        ) from error
    return _accounts(content)


def _head(data: bytes) -> tuple[bytes, _Parameters]:
    first, newline, rest = data[:_LONGEST_HEAD_BYTES].partition(b"\n")
    if not first.startswith(_MAGIC):
        raise _unreadable("it is no bundle of iflow2api", hint="make one with: iflow2api token export")
    _check_version(first.removeprefix(_MAGIC))
    second, end, _ = rest.partition(b"\n")
    if not newline or not end:
        raise _unreadable("it is cut")
    try:
        parameters = jsonx.convert(jsonx.decode_strict(second), _Parameters)
    except JsonError as error:
        raise _unreadable("its second line is damaged") from error
    return first + newline + second + end, parameters


def _check_version(text: bytes) -> None:
    if not text.isdigit() or len(text) > 9:
        raise _unreadable("its first line is damaged")
    version = int(text)
    if version > _VERSION:
        raise _unreadable("it was written by a newer iflow2api", hint="upgrade iflow2api")
    if version < _VERSION:
        raise _unreadable("its version is too old", hint="make it again with: iflow2api token export")


def _accounts(content: bytes) -> tuple[SavedAccount, ...]:
    try:
        entries = jsonx.convert(jsonx.decode_strict(content), _Content).accounts
    except JsonError as error:
        raise _unreadable(f"what it holds are no accounts ({error.what})") from error
    return tuple(_account(number, entry) for number, entry in enumerate(entries, 1))


def _account(number: int, entry: Json) -> SavedAccount:
    id = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(id, str) or not is_account_id(id):
        raise _unreadable(f"account {number} has no id that can be used")
    try:
        return decode_account(jsonx.encode(entry), Path(f"{id}.json"), _no_seal)
    except Unreadable as error:
        raise _unreadable(f"account {number}: {error.problem}", hint=error.hint if error.is_intact else "") from error


def _no_seal(kind: str) -> Seal | None:
    raise StateError(f"it is sealed by {kind} of another machine")


def _key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    if not passphrase:
        raise StateError("The passphrase is empty.", hint="choose one of several words")
    return stretch(passphrase, salt, cost)


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


def _unreadable(reason: str, *, hint: str = "") -> StateError:
    return StateError(f"{_WHAT}: {reason}.", hint=hint)
