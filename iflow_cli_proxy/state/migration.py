"""Account files of earlier versions, brought up one version at a time.

Knows what each version changed. Refuses to know the newest form's types: `state/account_file.py` checks those after the
last step, so a step may pass on what it does not understand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.jsonx import Json, JsonError

Fields: TypeAlias = dict[str, Json]
Step: TypeAlias = Callable[[Fields], Fields]

_MILLISECONDS_FROM: Final = 1e11
"""A larger number counts milliseconds: as seconds it would lie after the year 5000."""
_LARGEST: Final = 1e18

_RENAMED: Final = {"name": "label", "type": "auth_type"}
_OF_TOKENS: Final = ("access_token", "refresh_token", "expires_at", "token_type", "scope")
_INSTANTS: Final = (
    "api_key_expires_at",
    "created_at",
    "updated_at",
    "refreshed_at",
    "last_used_at",
    "last_error_at",
    "failing_since",
    "rests_until",
)


def _name_tokens_and_moments(old: Fields) -> Fields:
    """0 to 1: short names get full ones, tokens get a table of their own, and epoch numbers become text."""
    fields = {name: value for name, value in old.items() if name not in _RENAMED and name not in _OF_TOKENS}
    for name, full in _RENAMED.items():
        if name in old:
            fields.setdefault(full, old[name])
    if isinstance(fields.get("auth_type"), str):
        fields["auth_type"] = fields["auth_type"].replace("-", "_").lower()
    if "tokens" not in fields and old.get("access_token"):
        fields["tokens"] = {name: old[name] for name in _OF_TOKENS if name in old}
    if isinstance(fields.get("tokens"), dict):
        fields["tokens"] = _with_text(fields["tokens"], ("expires_at",))
    return _with_text(fields, _INSTANTS)


def _with_text(fields: Mapping[str, Json], names: tuple[str, ...]) -> Fields:
    return {name: _moment(value) if name in names else value for name, value in fields.items()}


def _moment(value: Json) -> Json:
    if type(value) is not int and type(value) is not float:
        return value
    if value <= 0:
        return None
    seconds = float(min(value, _LARGEST))
    return rfc3339(seconds / 1000 if seconds > _MILLISECONDS_FROM else seconds, is_exact=True)


STEPS: Final[tuple[Step, ...]] = (_name_tokens_and_moments,)
"""The step at index N makes version N + 1 of version N."""
VERSION: Final = len(STEPS)


class NewerVersion(Exception):
    """The file is fine and not for us."""


def version_of(fields: Mapping[str, Json]) -> int:
    """The first files had no version, which is 0. Raises JsonError for nonsense."""
    version = fields.get("version", 0)
    if type(version) is not int or version < 0:
        raise JsonError("Expected a version number", "version")
    return version


def upgraded(fields: Fields, steps: tuple[Step, ...] = STEPS) -> Fields:
    """The same account in today's form.

    Raises:
        NewerVersion: it comes from a later program.
        JsonError: its version is no number.
    """
    version = version_of(fields)
    if version > len(steps):
        raise NewerVersion
    for number in range(version, len(steps)):
        fields = {**steps[number](fields), "version": number + 1}
    return fields
