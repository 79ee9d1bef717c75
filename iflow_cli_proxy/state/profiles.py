"""What probes have found out: one JSON file for each provider, which a person may read and correct.

Knows versions, damaged files and fields of later versions, which stay. Refuses to know how anything is found out.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.json_position import describe
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.state.atomic import read_private, remove_private, write_private
from iflow_cli_proxy.state.lock import FileLock

_log: Final = logging.getLogger(__name__)
_VERSION: Final = 1
_SUFFIX: Final = ".json"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_KNOWN: Final = frozenset(Profile.__struct_fields__)


@dataclass(frozen=True, kw_only=True)
class KeptProfile:
    """A profile and where it comes from."""

    provider: str
    profile: Profile
    model: str = ""
    """That was asked."""
    probed_at: str = ""
    """RFC 3339."""


def load_profiles(folder: Path) -> dict[str, Profile]:
    """Every profile by its provider, lower case; a damaged file is told in the log and left out."""
    return {kept.provider: kept.profile for kept in list_profiles(folder)}


def list_profiles(folder: Path) -> list[KeptProfile]:
    """The same with where they come from."""
    found = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            kept = read_profile(folder, path.name.removesuffix(_SUFFIX))
        except StateError as error:
            _log.warning("%s: %s It is left out. %s", path.name, error.message, error.hint)
            continue
        if kept is not None:
            found.append(kept)
    return found


def read_profile(folder: Path, provider: str) -> KeptProfile | None:
    """What is known of one provider; None when nobody has probed it. Raises StateError."""
    path = profile_place(folder, provider)
    data = read_private(path)
    if data is None:
        return None
    tree = _tree(path, data)
    try:
        profile = jsonx.convert(tree.get("profile", {}), Profile, "profile")
    except JsonError as error:
        raise _damaged(path, f"{error.path}: {error.what}") from error
    return KeptProfile(
        provider=provider.lower(),
        profile=profile,
        model=str(tree.get("model", "")),
        probed_at=str(tree.get("probed_at", "")),
    )


def keep_profile(folder: Path, provider: str, profile: Profile, *, model: str, now: float) -> Path:
    """Write what a probe found; fields of the file that mean nothing to this version stay. Raises StateError."""
    path = profile_place(folder, provider)
    with FileLock(path):
        data = read_private(path)
        try:
            old = _tree(path, data) if data is not None else {}
        except StateError:
            old = {}  # a new probe is how a damaged file is mended
        known_to_others = {name: value for name, value in _table(old.get("profile")).items() if name not in _KNOWN}
        tree = {
            **old,
            "version": _VERSION,
            "provider": provider.lower(),
            "model": model,
            "probed_at": rfc3339(now),
            "profile": {**known_to_others, **jsonx.to_builtins(profile)},
        }
        write_private(path, jsonx.indented(tree))
    return path


def forget_profile(folder: Path, provider: str) -> bool:
    """Delete it; False when there was none. Raises StateError."""
    return remove_private(profile_place(folder, provider))


def profile_place(folder: Path, provider: str) -> Path:
    """Raises StateError for a name that cannot be one of a file."""
    name = provider.lower()
    if not _NAME.fullmatch(name):
        raise StateError(
            f"The name {provider!r} cannot be that of a file.", hint="give the provider a name of a-z, 0-9, - and _"
        )
    return folder / f"{name}{_SUFFIX}"


def _tree(path: Path, data: bytes) -> dict[str, Json]:
    try:
        tree = jsonx.decode_strict(data)
    except JsonError as error:
        raise _damaged(path, describe(error, data)) from error
    if not isinstance(tree, dict):
        raise _damaged(path, "it is not an object")
    if (version := tree.get("version")) != _VERSION:
        raise _damaged(path, f"version {version} is not known here")
    return tree


def _table(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _damaged(path: Path, reason: str) -> StateError:
    return StateError(
        f"The profile of a provider is damaged: {reason}.",
        detail=str(path),
        hint=f"`iflow2api upstream probe {path.name.removesuffix(_SUFFIX)}` writes it anew",
    )
