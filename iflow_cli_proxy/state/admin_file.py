"""admin.json: the hash of the admin page's password, for this person alone (RELIABILITY R11, I41, I42).

Knows what is kept of a password and how the file is written beside other processes. Refuses to know passwords: they
are hashed and compared in `server/admin/passwords.py`. Everything here blocks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.state.atomic import Stamp, read_private, remove_leftovers, stamp_of, write_private
from iflow_cli_proxy.state.lock import FileLock

_VERSION: Final = 1
_LEAST_COST: Final = 1 << 14
_LARGEST_COST: Final = 1 << 20
_LARGEST_FACTOR: Final = 32
_HEX_BYTES: Final = range(16, 129)


@dataclass(frozen=True, kw_only=True)
class PasswordHash:
    """A salted scrypt hash (RFC 7914) and the cost it was made with; `salt` and `hash` are hex digits."""

    n: int
    r: int
    p: int
    salt: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class _Shape:
    version: int
    password: PasswordHash


class AdminFile:
    """The one file, safe beside other threads and processes that write it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> PasswordHash | None:
        """None when there is no password yet. Raises StateError when the file is damaged or unsafe to use."""
        data = read_private(self.path)
        if data is None:
            return None
        try:
            return _checked(jsonx.convert(jsonx.decode_strict(data), _Shape))
        except (JsonError, ValueError) as error:
            raise StateError(
                "The file with the admin page's password is damaged.",
                detail=str(self.path),
                hint="`iflow2api admin password` writes a new one",
            ) from error

    def save(self, password: PasswordHash) -> None:
        """Put a password in force, whatever was there. Raises StateError."""
        with FileLock(self.path):
            self._write(password)

    def save_first(self, password: PasswordHash) -> bool:
        """The same while there is none; False when somebody was faster. Raises StateError."""
        with FileLock(self.path):
            if self.load() is not None:
                return False
            self._write(password)
        return True

    def stamp(self) -> Stamp | None:
        return stamp_of(self.path)

    def _write(self, password: PasswordHash) -> None:
        remove_leftovers(self.path)
        write_private(self.path, jsonx.indented({"version": _VERSION, "password": asdict(password)}))


def _checked(shape: _Shape) -> PasswordHash:
    """Raises ValueError for a cost that is none, or that would stop the machine."""
    found = shape.password
    is_power = found.n & (found.n - 1) == 0
    has_cost = _LEAST_COST <= found.n <= _LARGEST_COST and is_power
    has_factors = 1 <= found.r <= _LARGEST_FACTOR and 1 <= found.p <= _LARGEST_FACTOR
    has_digits = all(len(bytes.fromhex(text)) in _HEX_BYTES for text in (found.salt, found.hash))
    if shape.version != _VERSION or not (has_cost and has_factors and has_digits):
        raise ValueError("not what is written here")
    return found
