"""The vendor's iFlow client: `settings.json`, `oauth_creds.json` and `iflow_accounts.json`, together one sign-in.

Also what other proxies add to these files (snake case names, `oauth_*` fields in the settings). Parts are told apart
by what they hold, not by their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.signin.foreign.iflow_account import KEY_LATER, IFlowPieces, iflow_account
from iflow_cli_proxy.signin.foreign.reading import Collector, Part, Reading, Unusable
from iflow_cli_proxy.signin.foreign.values import secret, word

_SETTINGS_KEYS: Final = ("apiKey", "api_key", "searchApiKey", "search_api_key")
"""Best first; the login writes the same key for searching."""


def is_accounts(tree: Mapping[str, Json]) -> bool:
    return "iflowApiKey" in tree


def is_oauth(tree: Mapping[str, Json]) -> bool:
    return bool(tree.keys() & {"access_token", "refresh_token", "expiry_date"})


def is_marked(tree: Mapping[str, Json]) -> bool:
    """Whether a file with tokens says by more than them that it is iFlow's."""
    return bool(tree.keys() & {"apiKey", "userId", "userName", "avatar", "phone"})


def is_settings(tree: Mapping[str, Json]) -> bool:
    return bool(tree.keys() & {"selectedAuthType", "apiKey", "searchApiKey", "oauth_access_token"})


def read(parts: Sequence[Part], environ: Mapping[str, str]) -> Reading:
    """The one account of these files."""
    found = Collector()
    oauth = _newest(parts, is_oauth)
    cached = _newest(parts, is_accounts)
    settings = _newest(parts, lambda tree: not is_oauth(tree) and not is_accounts(tree))
    who = oauth.tree if oauth else {}
    pieces = IFlowPieces(
        label=word(who, "email", "userName", "phone", "userId") or "iflow-cli", user_id=word(who, "userId")
    )
    pieces = _with_tokens(found, pieces, oauth, settings)
    pieces = replace(pieces, api_key=_key(found, [part for part in (oauth, cached) if part], settings, environ))
    if settings:
        pieces = replace(
            pieces,
            api_key_expires_at=instant(settings.tree.get("api_key_expires_at")),
            base_url="" if _is_elsewhere(settings) else word(settings.tree, "baseUrl", "base_url"),
        )
    modified_at = max((part.modified_at for part in parts), default=0.0)
    origin = str(oauth.path.absolute()) if oauth else ""  # the file in which the sign-in is known to be used live
    found.take(pieces.label, lambda: iflow_account(found, pieces, updated_at=modified_at, imported_from=origin))
    if found.accounts and not pieces.api_key:
        found.note(f"{pieces.label} {KEY_LATER}")
    return found.reading()


def _newest(parts: Sequence[Part], is_one: Callable[[Mapping[str, Json]], bool]) -> Part | None:
    return max((part for part in parts if is_one(part.tree)), key=lambda part: part.modified_at, default=None)


def _with_tokens(found: Collector, pieces: IFlowPieces, oauth: Part | None, settings: Part | None) -> IFlowPieces:
    """The tokens of the sign-in file, else those that other proxies keep among the settings."""
    try:
        if oauth and oauth.tree.get("access_token"):
            return replace(
                pieces,
                access_token=secret(oauth.tree, "access_token", what="access token"),
                refresh_token=secret(oauth.tree, "refresh_token", what="refresh token"),
                expires_at=instant(oauth.tree.get("expiry_date")),
                token_type=word(oauth.tree, "token_type"),
                scope=word(oauth.tree, "scope"),
            )
        if oauth:
            found.note(f"{oauth.path.name} was damaged by a failed refresh: its tokens are gone")
        if settings:
            return replace(
                pieces,
                access_token=secret(settings.tree, "oauth_access_token", what="access token"),
                refresh_token=secret(settings.tree, "oauth_refresh_token", what="refresh token"),
                expires_at=instant(settings.tree.get("oauth_expires_at")),
            )
    except Unusable as error:
        found.note(f"the tokens are left out: {error}")
    return pieces


def _key(found: Collector, signed_in: Sequence[Part], settings: Part | None, environ: Mapping[str, str]) -> Secret:
    """The key of the newest file of the sign-in, for the client renews only one of them; then those of the settings."""
    newest_first = sorted(signed_in, key=lambda part: -part.modified_at)  # stable: of two as old the sign-in itself
    keys = [key for part in newest_first for key in _tried(found, part, ("apiKey", "iflowApiKey"), None)]
    if len(set(keys)) > 1:
        found.note(f"the files hold different API keys; the one of {newest_first[0].path.name} is the newest")
    if settings and _is_elsewhere(settings):
        if settings.tree.get("apiKey"):
            found.note(f"{settings.path.name} is set up for another OpenAI-compatible service, so its key is left out")
    elif settings:
        keys += [key for name in _SETTINGS_KEYS for key in _tried(found, settings, (name,), environ)]
    return keys[0] if keys else Secret()


def _tried(found: Collector, part: Part, names: Sequence[str], environ: Mapping[str, str] | None) -> Iterator[Secret]:
    try:
        key = secret(part.tree, *names, environ=environ)
    except Unusable as error:
        found.note(f"{part.path.name}: {error}")
        return
    if key:
        yield key


def _is_elsewhere(settings: Part) -> bool:
    return settings.tree.get("selectedAuthType") == "openai-compatible"
