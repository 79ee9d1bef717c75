"""The admin page's password: what one must be, and how it is hashed and compared.

Knows scrypt and its cost. Refuses to know where the hash is kept (`state/admin_file.py`) and how often somebody may
try (`throttle.py`). Everything here takes about a tenth of a second: call it from a thread.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from typing import Final

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.state.admin_file import PasswordHash

SHORTEST: Final = 12
_LONGEST_BYTES: Final = 1024
_FEWEST_CHARACTERS: Final = 5
"""Different ones: a word of fewer is a pattern."""
_WELL_KNOWN: Final = (
    "password", "passw0rd", "iflow2api", "changeme", "letmein", "welcome", "qwerty", "administrator", "admin",
    "123456789012", "abcdefghijkl",
)  # fmt: skip
"""With digits and marks around them they are still guessed first."""
_N: Final = 1 << 15
_R: Final = 8
_P: Final = 1
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_MEMORY_BYTES: Final = 1 << 30
"""More than any cost that `state/admin_file.py` lets pass; `_N` takes 32 MB."""
_MADE_BYTES: Final = 18

_NOBODYS: Final = PasswordHash(n=_N, r=_R, p=_P, salt="00" * _SALT_BYTES, hash="00" * _HASH_BYTES)


def check_new(password: str, *, param: str = "password") -> str:
    """The same, if it may become the password. Raises InvalidRequest."""
    text = unicodedata.normalize("NFKC", password)
    if len(text) < SHORTEST:
        raise InvalidRequest(
            f"The password must have at least {SHORTEST} characters.",
            hint="four words nobody would put together are easy to keep",
            param=param,
        )
    if len(_bytes_of(text)) > _LONGEST_BYTES:
        raise InvalidRequest("The password is longer than anybody types.", param=param)
    if len(set(text)) < _FEWEST_CHARACTERS or _is_well_known(text):
        raise InvalidRequest(
            "This password is among the first that anybody would try.",
            hint="`iflow2api admin password --generate` makes one",
            param=param,
        )
    return password


def made() -> str:
    """One that nobody can guess, of 24 characters that are easy to copy."""
    return secrets.token_urlsafe(_MADE_BYTES)


def hash_of(password: str) -> PasswordHash:
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _scrypt(password, salt, n=_N, r=_R, p=_P, size=_HASH_BYTES)
    return PasswordHash(n=_N, r=_R, p=_P, salt=salt.hex(), hash=digest.hex())


def is_right(password: str, kept: PasswordHash | None) -> bool:
    """Compared in constant time; without a password to compare with it takes as long, and nothing is right."""
    against = kept or _NOBODYS
    wanted = bytes.fromhex(against.hash)
    found = _scrypt(password, bytes.fromhex(against.salt), n=against.n, r=against.r, p=against.p, size=len(wanted))
    return secrets.compare_digest(found, wanted) and kept is not None


def _scrypt(password: str, salt: bytes, *, n: int, r: int, p: int, size: int) -> bytes:
    text = _bytes_of(unicodedata.normalize("NFKC", password))[:_LONGEST_BYTES]
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=_MEMORY_BYTES, dklen=size)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_well_known(text: str) -> bool:
    """Whether nothing is left of it but a few digits and marks once these words are taken out."""
    left = text.lower()
    for word in _WELL_KNOWN:
        left = left.replace(word, "")
    return left != text.lower() and len(left) < SHORTEST and not any(letter.isalpha() for letter in left)
