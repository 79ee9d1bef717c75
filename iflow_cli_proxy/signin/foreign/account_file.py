"""Account files of this program itself, such as a copy of its folder on another disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.signin.foreign.reading import Collector, Part, Reading, Unusable
from iflow_cli_proxy.signin.foreign.values import word
from iflow_cli_proxy.state.account_file import Unreadable, decode_account
from iflow_cli_proxy.state.sealing import Seal

_MARKS: Final = frozenset({"id", "provider", "auth_type"})


def is_one(tree: Mapping[str, Json]) -> bool:
    return tree.keys() >= _MARKS


def read(parts: Sequence[Part], environ: Mapping[str, str]) -> Reading:
    found = Collector()
    for part in parts:
        found.take(word(part.tree, "label") or part.path.stem, partial(_account, part))
    return found.reading()


def _account(part: Part) -> SavedAccount:
    """A file that was renamed is good too; one that is sealed opens only where its key is."""
    named = Path(f"{word(part.tree, 'id')}.json")
    try:
        return decode_account(jsonx.encode(part.tree), named, _no_seal)
    except Unreadable as error:
        raise Unusable(error.problem) from error


def _no_seal(kind: str) -> Seal | None:
    return None
