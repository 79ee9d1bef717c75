"""Secrets that a test sets out, and everything that was said meanwhile: none may be found in it (RELIABILITY I45)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

_PIECE = 14
"""Characters of a secret that give it away; a masked one shows its last four."""


@dataclass
class Canaries:
    """`set_out` each secret by what it is, `hear` each thing that was said, then nothing may be in `found`."""

    secrets: dict[str, str] = field(default_factory=dict)
    said: list[tuple[str, str]] = field(default_factory=list)

    def set_out(self, name: str, secret: str) -> str:
        assert len(secret) >= _PIECE, f"{name} is too short to be told from chance"
        self.secrets[name] = secret
        return secret

    def hear(self, where: str, text: str | bytes) -> None:
        self.said.append((where, text.decode("utf-8", "replace") if isinstance(text, bytes) else text))

    def hear_folder(self, folder: Path, *, but: tuple[str, ...]) -> None:
        """Every file below `folder`, and what it is called, except those that are there to keep secrets."""
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder))
            self.hear("the name of a file", name)
            if path.is_file() and not name.startswith(but):
                self.hear(name, path.read_bytes())

    def found(self) -> list[str]:
        """`where: which` of every secret that got out, whole or in part, as it is or in the clothes of a wire."""
        return sorted({f"{where}: {name}" for where, text in self.said for name in self._in(text)})

    def _in(self, text: str) -> Iterator[str]:
        for name, secret in self.secrets.items():
            if any(shape in text for shape in _shapes(secret)):
                yield name


def _shapes(secret: str) -> set[str]:
    worn = {secret, quote(secret, safe=""), b64encode(secret.encode()).decode().rstrip("=")[:-1]}
    pieces = {secret[:_PIECE], secret[-_PIECE:]} if len(secret) >= 2 * _PIECE else set[str]()
    return worn | pieces
