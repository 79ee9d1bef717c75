"""The older programs called iflow2api: `config.json` with one account, `keys.json` with a pool of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.signin.foreign.iflow_account import IFlowPieces, iflow_account
from iflow_cli_proxy.signin.foreign.reading import Callers, Collector, Part, Reading, Skipped, Unusable
from iflow_cli_proxy.signin.foreign.values import count, secret, word

_MOST_ACCOUNTS: Final = 1000


def is_config(tree: Mapping[str, Json]) -> bool:
    return "api_key" in tree


def is_pool(tree: Mapping[str, Json]) -> bool:
    return isinstance(tree.get("accounts"), dict) or (
        isinstance(tree.get("keys"), dict) and bool(tree.keys() & {"auth", "resilience", "default"})
    )


def read_config(parts: Sequence[Part], environ: Mapping[str, str]) -> Reading:
    """The account of `config.json`; its other settings are not accounts."""
    found = Collector()
    for part in parts:
        if part.tree.get("auth_type") == "openai-compatible":
            found.skipped.append(Skipped(name=part.path.name, reason="it is set up for another service than iFlow"))
            continue
        found.take("iflow2api", partial(_account, found, part.tree, "iflow2api", part.modified_at))
    return found.reading()


def read_pool(parts: Sequence[Part], environ: Mapping[str, str]) -> Reading:
    """The accounts of `keys.json`, switched off where they were, and who may use them."""
    found = Collector()
    for part in parts:
        accounts = part.tree.get("accounts")
        entries = list(accounts.items()) if isinstance(accounts, dict) else []
        places: dict[str, int] = {}
        for name, entry in entries[:_MOST_ACCOUNTS]:
            if found.take(_shown(name), partial(_pooled, found, name, entry, part)):
                places[name] = len(found.accounts) - 1
        if entries[_MOST_ACCOUNTS:]:
            found.note(f"only the first {_MOST_ACCOUNTS} accounts are read")
        found.callers = Callers(tree=part.tree, accounts=places)
    return found.reading()


def _pooled(found: Collector, name: str, entry: Json, part: Part) -> SavedAccount:
    if not isinstance(entry, dict):
        raise Unusable("it is not an object")
    account = _account(found, entry, word(entry, "label") or _shown(name), part.modified_at)
    if entry.get("enabled") is False:
        account = replace(account, state=AccountState.DISABLED)
    return replace(account, concurrency=count(entry, "max_concurrency") if "max_concurrency" in entry else None)


def _account(found: Collector, tree: Mapping[str, Json], label: str, modified_at: float) -> SavedAccount:
    pieces = IFlowPieces(
        label=label,
        api_key=secret(tree, "api_key"),
        api_key_expires_at=instant(tree.get("api_key_expires_at")),
        access_token=secret(tree, "oauth_access_token", what="access token"),
        refresh_token=secret(tree, "oauth_refresh_token", what="refresh token"),
        expires_at=instant(tree.get("oauth_expires_at")),
        base_url=word(tree, "base_url"),
    )
    return iflow_account(
        found,
        pieces,
        created_at=instant(tree.get("created_at")) or 0.0,
        updated_at=instant(tree.get("last_refresh_at")) or modified_at,
    )


def _shown(name: str) -> str:
    return " ".join(name.split())[:64] or "account"
