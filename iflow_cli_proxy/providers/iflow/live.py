"""The iFlow client's own sign-in, kept alive where it lies: `oauth_creds.json` and the two files that repeat its key.

The client resolves its key from `iflow_accounts.json` first and its own refresh updates neither, so a newer key goes to
every place that held the old one (reference/iflow.md 2.4 and 3.6). It knows no lock; we touch its files only when the
key is refused, never just because time has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, Tokens
from iflow_cli_proxy.providers.discovery import LiveSignIn, SharedFile
from iflow_cli_proxy.providers.sign_in_file import decode_object
from iflow_cli_proxy.providers.signin import token_ends_at

SETTINGS: Final = "settings.json"
OAUTH: Final = "oauth_creds.json"
ACCOUNTS: Final = "iflow_accounts.json"
_KEYS_IN_SETTINGS: Final = ("apiKey", "searchApiKey")


def live_sign_in(folder: Path, oauth: Mapping[str, Any], account: Account) -> LiveSignIn | None:
    """The sign-in of `oauth_creds.json` as one that can be refreshed; None when it holds no pair of tokens.

    `account` is what the client's files give requests now.
    """
    tokens = _tokens(oauth)
    if tokens is None:
        return None
    saved = SavedAccount(
        id=account.id,
        provider=account.provider,
        label=account.label,
        auth_type=AuthType.OAUTH,
        api_key=account.api_key,
        tokens=tokens,
        base_url=account.base_url,
        imported_from=str(folder / OAUTH),
    )

    def parse(data: bytes) -> SavedAccount | None:
        tree = decode_object(data)
        newest = _tokens(tree)
        key = tree.get("apiKey")
        if newest is None:
            return None
        return replace(saved, tokens=newest, api_key=Secret(key.strip()) if isinstance(key, str) else saved.api_key)

    return LiveSignIn(
        account=saved,
        file=SharedFile(path=folder / OAUTH, merge=_into_oauth),
        parse=parse,
        also=(
            SharedFile(path=folder / ACCOUNTS, merge=_into_accounts),
            SharedFile(path=folder / SETTINGS, merge=_into_settings(account.api_key)),
        ),
        is_kept_fresh=False,
    )


def _tokens(oauth: Mapping[str, Any]) -> Tokens | None:
    access, refresh = oauth.get("access_token"), oauth.get("refresh_token")
    if not (isinstance(access, str) and access and isinstance(refresh, str) and refresh):
        return None
    kind, scope = oauth.get("token_type"), oauth.get("scope")
    return Tokens(
        access_token=Secret(access),
        refresh_token=Secret(refresh),
        expires_at=instant(oauth.get("expiry_date")),
        token_type=kind if isinstance(kind, str) else "bearer",
        scope=scope if isinstance(scope, str) else "",
    )


def _into_oauth(data: bytes, account: SavedAccount) -> bytes:
    tree = decode_object(data)
    if account.tokens is not None:
        tree["access_token"] = account.tokens.access_token.reveal()
        tree["refresh_token"] = account.tokens.refresh_token.reveal()
        if (ends_at := token_ends_at(account)) is not None:
            tree["expiry_date"] = int(ends_at * 1000)
    tree["apiKey"] = account.api_key.reveal()
    return jsonx.indented(tree)


def _into_accounts(data: bytes, account: SavedAccount) -> bytes:
    tree = decode_object(data)
    if tree.get("iflowApiKey"):
        tree["iflowApiKey"] = account.api_key.reveal()
    return jsonx.indented(tree)


def _into_settings(old: Secret) -> Callable[[bytes, SavedAccount], bytes]:
    """A key that a person typed in, and that is not the one which was renewed, stays."""

    def merge(data: bytes, account: SavedAccount) -> bytes:
        tree = decode_object(data)
        for name in _KEYS_IN_SETTINGS:
            if tree.get(name) == old.reveal():
                tree[name] = account.api_key.reveal()
        return jsonx.indented(tree)

    return merge
