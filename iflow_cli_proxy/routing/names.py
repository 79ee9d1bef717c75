"""What is written by name: tables with globs on the left, aliases, and which names are one model in several lengths.

Knows names only. Refuses to know who serves a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final, TypeVar

_MOST_HOPS: Final = 8
"""Aliases of aliases are followed this far."""
_BETWEEN_WORDS: Final = re.compile(r"[-_:@()\[\]\s]+")
_LENGTH: Final = re.compile(r"\d+[km]|long")

V = TypeVar("V")


def entry_for(names: Iterable[str], table: Mapping[str, V]) -> tuple[str, V] | None:
    """The entry written for one of `names`, with what stands on its left; case is ignored.

    A name written in full goes before a glob, an earlier name before a later one, an earlier glob before a later one.
    """
    if not table:
        return None
    low = [name.lower() for name in names]
    written = {key.lower(): key for key in reversed([*table])}
    key = next((written[name] for name in low if name in written), None)
    if key is None:
        key = next((key for key in table if any(fnmatchcase(name, key.lower()) for name in low)), None)
    return None if key is None else (key, table[key])


def through_aliases(name: str, aliases: Mapping[str, str]) -> tuple[str, ...]:
    """The name, then what each alias makes of it; ends where an alias leads back."""
    path = [name]
    for _ in range(_MOST_HOPS):
        found = entry_for(path[-1:], aliases)
        if found is None or found[1] in path:
            break
        path.append(found[1])
    return tuple(path)


def family(model: str) -> tuple[str, ...]:
    """The words of a name but for those that tell the length of its window: one for `kimi-8k` and `kimi-128k`."""
    return tuple(word for word in _BETWEEN_WORDS.split(model.lower()) if word and not _LENGTH.fullmatch(word))
