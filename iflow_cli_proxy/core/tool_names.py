"""Names and ids of tools that an upstream refuses, written so that it takes them, and the names restored in its answer.

Upstreams want `[A-Za-z0-9_-]` and at most 64 characters; MCP servers and namespaces make longer ones. The same name
always becomes the same other name, so that prompt caches survive and a conversation reads alike in every turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

import msgspec

from iflow_cli_proxy.core.events import Event, PartStarted

_ODD: Final = re.compile(r"[^A-Za-z0-9_-]")
_DIGEST_LETTERS: Final = 8
_LONGEST_ID: Final = 64


def new_names(names: Iterable[str], longest: int) -> dict[str, str]:
    """What each name that cannot stay is called instead; names that can are not in it."""
    wanted = list(dict.fromkeys(names))
    taken = {name for name in wanted if _is_good(name, longest)}
    changed: dict[str, str] = {}
    for name in wanted:
        if not _is_good(name, longest):
            changed[name] = new = _fitting(name, longest, taken)
            taken.add(new)
    return changed


def new_id(call_id: str) -> str:
    """An id that no upstream objects to; good ones stay as they are."""
    if _is_good(call_id, _LONGEST_ID) or not call_id:
        return call_id
    return f"call_{_digest(call_id)}{_digest(call_id[::-1])}"


class NamesRestored:
    """A stage over the events of an answer: tool calls bear the names that the client knows."""

    def __init__(self, changed: Mapping[str, str]) -> None:
        self._original = {new: old for old, new in changed.items()}

    def feed(self, event: Event, /) -> list[Event]:
        if isinstance(event, PartStarted) and (name := self._original.get(event.name)):
            return [msgspec.structs.replace(event, name=name)]
        return [event]

    def close(self) -> list[Event]:
        return []


def _is_good(name: str, longest: int) -> bool:
    return 0 < len(name) <= longest and not _ODD.search(name)


def _fitting(name: str, longest: int, taken: set[str]) -> str:
    """Readable as far as it goes; the digest of the whole tells names apart that begin alike."""
    plain = _ODD.sub("_", name)
    if len(plain) <= longest and plain and plain not in taken:
        return plain
    return f"{plain[: longest - _DIGEST_LETTERS - 1]}_{_digest(name)}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LETTERS]
