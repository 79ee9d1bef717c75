"""Secrets made unreadable without a key: AES-256-GCM, and scrypt to make a key of a passphrase.

Knows the two algorithms and their parameters. Refuses to know where keys are kept (`state/vault.py`). `cryptography` is
the extra `secure`, so it is imported only when something is sealed or opened.
"""

from __future__ import annotations

import os
import unicodedata
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from iflow_cli_proxy.core.errors import StateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
WRAPPED_KEY_BYTES: Final = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
_MOST_MEMORY_BYTES: Final = 256 << 20
_MOST_PASSES: Final = 16


class Seal(Protocol):
    """A key that is at hand."""

    @property
    def name(self) -> str:
        """Where the key comes from: `keyring` or `passphrase`."""
        ...

    def seal(self, data: bytes, *, context: bytes) -> str: ...

    def open(self, text: str, *, context: bytes) -> bytes:
        """Raises WrongKey: another key, another context, or altered."""
        ...


class WrongKey(StateError):
    """What was sealed does not open."""


class KeySeal:
    """A seal made of one key of 32 bytes."""

    __slots__ = ("_key", "_name")

    def __init__(self, name: str, key: bytes) -> None:
        self._name = name
        self._key = key

    @property
    def name(self) -> str:
        return self._name

    @property
    def key(self) -> bytes:
        return self._key

    def seal(self, data: bytes, *, context: bytes) -> str:
        return b64encode(encrypt(self._key, data, context=context)).decode("ascii")

    def open(self, text: str, *, context: bytes) -> bytes:
        try:
            sealed = b64decode(text, validate=True)
        except ValueError as error:
            raise WrongKey("Sealed secrets are damaged.") from error
        return decrypt(self._key, sealed, context=context)


def encrypt(key: bytes, data: bytes, *, context: bytes) -> bytes:
    """A fresh nonce and what belongs to it; `context` must be the same again to open it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher(key).encrypt(nonce, data, context)


def decrypt(key: bytes, sealed: bytes, *, context: bytes) -> bytes:
    """Raises WrongKey."""
    cipher = _cipher(key)
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:  # ValueError: too short to hold a nonce
        raise WrongKey("Sealed secrets do not open: they were altered, or sealed with another key.") from error


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one guess at a passphrase costs, as scrypt (RFC 7914) counts it."""

    n: int = 1 << 15
    r: int = 8
    p: int = 3

    @property
    def is_sane(self) -> bool:
        """Whether parameters from a file can be used without harm to this machine."""
        is_power = self.n > 1 and self.n & (self.n - 1) == 0
        return is_power and self.r > 0 and 128 * self.n * self.r <= _MOST_MEMORY_BYTES and 0 < self.p <= _MOST_PASSES


COST: Final = Cost()
"""32 MiB and about a quarter of a second; OWASP's recommendation for machines with little memory (2025)."""


def stretch(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """A key of a passphrase; different ways to type one accent give the same key."""
    try:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    except ImportError as error:
        raise extra_missing("cryptography") from error
    typed = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogateescape")
    return Scrypt(salt=salt, length=KEY_BYTES, n=cost.n, r=cost.r, p=cost.p).derive(typed)


def extra_missing(package: str) -> StateError:
    """The error for a package of the extra that is not installed."""
    return StateError(
        f"Encrypted credentials need the package {package}, which is not installed.",
        hint="pip install 'iflow2api[secure]'",
    )


def _cipher(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise extra_missing("cryptography") from error
    return AESGCM(key)
