"""What answers of OpenAI's protocols with choices (chats and completions) have alike, and how many are asked for."""

from __future__ import annotations

from typing import Protocol

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.heads import Head, epoch_of


class _Answer(Protocol):
    @property
    def id(self) -> str | int | None: ...

    @property
    def model(self) -> str | None: ...

    @property
    def created(self) -> float | str | None: ...


def decode_head(answer: _Answer) -> Head:
    return Head(id=str(answer.id or ""), model=answer.model or "", created=epoch_of(answer.created))


def count_choices(body: bytes) -> int:
    """`n` of a body that we wrote ourselves."""
    raw = jsonx.raw_fields(body).get("n")
    found = None if raw is None else jsonx.decode(bytes(raw))
    return found if isinstance(found, int) else 1
