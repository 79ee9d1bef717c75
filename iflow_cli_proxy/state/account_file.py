"""One account as a JSON text that a person can read, and back.

Knows the names and types of today's form, where secrets stand when they are sealed, and how to say what is wrong with a
text. Refuses to know folders and locks (`state/accounts.py`) and earlier forms (`state/migration.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from iflow_cli_proxy.config.checks import http_url_or_empty
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.instants import epoch, rfc3339
from iflow_cli_proxy.core.json_position import describe
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount, Tokens
from iflow_cli_proxy.state.migration import VERSION, NewerVersion, upgraded, version_of
from iflow_cli_proxy.state.sealing import Seal

FindSeal: TypeAlias = Callable[[str], Seal | None]
"""The key of a kind, `keyring` or `passphrase`. Raises StateError when it cannot be had."""


class Unreadable(StateError):
    """A file of ours that cannot be used as it is."""

    def __init__(
        self,
        path: Path,
        problem: str,
        *,
        hint: str = "iflow2api doctor",
        is_intact: bool = False,
        account: SavedAccount | None = None,
    ) -> None:
        super().__init__(f"The file of an account cannot be used: {problem}.", detail=str(path), hint=hint)
        self.path = path
        self.problem = problem
        self.is_intact = is_intact
        """Nothing is wrong with it: its key or a newer program is missing here, and it must stay as it is."""
        self.account = account
        """What can be read without its secrets."""


@dataclass(frozen=True, kw_only=True)
class _TokensShape:
    access_token: str
    refresh_token: str = ""
    expires_at: datetime | None = None
    token_type: str = "bearer"
    scope: str = ""
    base_url: str = ""


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """The names and types in the file; the order is the order there."""

    id: str
    provider: str
    label: str
    state: AccountState = AccountState.OK
    auth_type: AuthType
    api_key: str = ""
    api_key_expires_at: datetime | None = None
    tokens: _TokensShape | None = None
    base_url: str = ""
    user_id: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    refreshed_at: datetime | None = None
    last_used_at: datetime | None = None
    request_count: int = 0
    last_error: str = ""
    last_error_at: datetime | None = None
    failing_since: datetime | None = None
    refresh_failures: int = 0
    is_refused: bool = False
    enabled_at: datetime | None = None
    rests_until: datetime | None = None
    rests_model: str = ""
    rest_reason: str = ""
    concurrency: int | None = None
    imported_from: str = ""


@dataclass(frozen=True, kw_only=True)
class _SealedShape:
    sealed_by: str
    sealed: str


@dataclass(frozen=True, kw_only=True)
class _SecretTokens:
    access_token: str = ""
    refresh_token: str = ""


@dataclass(frozen=True, kw_only=True)
class _Secrets:
    """What is inside `sealed`."""

    api_key: str = ""
    tokens: _SecretTokens = field(default_factory=_SecretTokens)


_NAMES: Final = tuple(each.name for each in fields(_Shape))
_TOKEN_NAMES: Final = tuple(each.name for each in fields(_TokensShape))
_INSTANTS: Final = tuple(each.name for each in fields(_Shape) if "datetime" in each.type)
_ALWAYS_AN_INSTANT: Final = ("created_at", "updated_at")
_ABOUT_THE_FILE: Final = ("version", *(each.name for each in fields(_SealedShape)))
_SECRET_TOKENS: Final = tuple(each.name for each in fields(_SecretTokens))


def encode_account(account: SavedAccount, seal: Seal | None = None) -> bytes:
    """Indented and complete; fields that we do not know come last, as they were."""
    known: dict[str, Json] = {"version": VERSION}
    for name in _NAMES:
        known[name] = _shown(name, getattr(account, name))
    if account.tokens is not None:
        known["tokens"] = _tokens_shown(account.tokens, account.extras.get("tokens"))
    if seal is not None:
        known = _sealed(known, seal)
    return jsonx.indented(known | jsonx.without(account.extras, *_NAMES, *_ABOUT_THE_FILE))


def decode_account(data: bytes, path: Path, find_seal: FindSeal) -> SavedAccount:
    """Raises Unreadable. `path` says which id it must have."""
    try:
        account = _account(_opened(upgraded(_object(data)), path, find_seal))
        if account.id != path.stem:
            raise JsonError(f"it should be {path.stem}, like the name of the file", "id")
    except NewerVersion as error:
        raise Unreadable(
            path, "it was written by a newer iflow2api", hint="upgrade iflow2api", is_intact=True
        ) from error
    except JsonError as error:
        raise Unreadable(path, describe(error, data)) from error
    return account


def version_in(data: bytes) -> int:
    """The version that a file has which decodes."""
    return version_of(_object(data))


def sealed_by(data: bytes) -> str:
    """The kind of key that a text's secrets need; empty when they are open or the text is damaged."""
    try:
        fields = _object(data)
    except JsonError:
        return ""
    kind = fields.get("sealed_by")
    return kind if isinstance(kind, str) and "sealed" in fields else ""


def _object(data: bytes) -> dict[str, Json]:
    value = jsonx.decode_strict(data)
    if not isinstance(value, dict):
        raise JsonError("Expected an object")
    return value


# --- secrets ------------------------------------------------------------------------------------------------------


def _sealed(known: Mapping[str, Json], seal: Seal) -> dict[str, Json]:
    tokens = known["tokens"]
    secrets = {"api_key": known["api_key"], "tokens": {name: (tokens or {}).get(name, "") for name in _SECRET_TOKENS}}
    text = seal.seal(jsonx.encode(secrets), context=_context(known["id"]))
    return {
        **jsonx.without(known, "api_key"),
        "tokens": tokens and jsonx.without(tokens, *_SECRET_TOKENS),
        "sealed_by": seal.name,
        "sealed": text,
    }


def _opened(found: Mapping[str, Json], path: Path, find_seal: FindSeal) -> dict[str, Json]:
    """The fields with their secrets in place; a secret that somebody typed in beside the sealed ones wins."""
    if "sealed" not in found:
        return dict(found)
    shape = jsonx.convert(found, _SealedShape)
    try:
        seal = find_seal(shape.sealed_by)
        if seal is None:
            raise StateError(f"its secrets are sealed by {shape.sealed_by}, whose key is not at hand")
        inside = seal.open(shape.sealed, context=_context(path.stem))
    except StateError as error:
        raise Unreadable(
            path,
            error.message.removesuffix("."),
            hint=error.hint,
            is_intact=True,
            account=_without_secrets(found),
        ) from error
    return _filled(found, _secrets(inside))


def _secrets(inside: bytes) -> _Secrets:
    try:
        return jsonx.convert(jsonx.decode_strict(inside), _Secrets)
    except JsonError as error:
        raise JsonError("What was sealed are no secrets of an account", "sealed") from error


def _without_secrets(found: Mapping[str, Json]) -> SavedAccount | None:
    try:
        return _account(_filled(found, _Secrets()))
    except JsonError:
        return None


def _filled(found: Mapping[str, Json], secrets: _Secrets) -> dict[str, Json]:
    filled = {"api_key": secrets.api_key, **found}
    if isinstance(found.get("tokens"), dict):
        filled["tokens"] = asdict(secrets.tokens) | found["tokens"]
    return filled


def _context(account_id: str) -> bytes:
    return b"iflow2api account " + account_id.encode()


# --- fields -------------------------------------------------------------------------------------------------------


def _account(found: Mapping[str, Json]) -> SavedAccount:
    shape = jsonx.convert(found, _Shape)
    _check_address(shape.base_url, "base_url")
    plain: dict[str, Any] = {name: getattr(shape, name) for name in _NAMES}
    for name in _INSTANTS:
        plain[name] = epoch(plain[name]) if plain[name] else 0.0 if name in _ALWAYS_AN_INSTANT else None
    extras = jsonx.without(found, *_NAMES, *_ABOUT_THE_FILE)
    if shape.tokens is not None:
        _check_address(shape.tokens.base_url, "tokens.base_url")
        plain["tokens"] = _tokens(shape.tokens)
        if unknown := jsonx.without(found["tokens"], *_TOKEN_NAMES):
            extras["tokens"] = unknown
    return SavedAccount(**{**plain, "api_key": Secret(shape.api_key), "extras": extras})


def _check_address(url: str, path: str) -> None:
    """Credentials go there. Raises JsonError."""
    if wanted := http_url_or_empty(url):
        raise JsonError(f"Expected {wanted}", path)


def _tokens(shape: _TokensShape) -> Tokens:
    return Tokens(
        access_token=Secret(shape.access_token),
        refresh_token=Secret(shape.refresh_token),
        expires_at=epoch(shape.expires_at) if shape.expires_at else None,
        token_type=shape.token_type,
        scope=shape.scope,
        base_url=shape.base_url,
    )


def _tokens_shown(tokens: Tokens, unknown: Json) -> dict[str, Json]:
    shown = {name: _shown(name, getattr(tokens, name)) for name in _TOKEN_NAMES}
    return shown | jsonx.without(unknown, *_TOKEN_NAMES) if isinstance(unknown, dict) else shown


def _shown(name: str, value: Any) -> Json:
    if isinstance(value, Secret):
        return value.reveal()
    if value is not None and (name in _INSTANTS or name == "expires_at"):
        return rfc3339(value, is_exact=True)
    return value
