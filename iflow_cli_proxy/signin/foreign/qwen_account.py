"""One Qwen account from a file's fields. Qwen's API takes the access token itself."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, Tokens
from iflow_cli_proxy.providers.qwen.addresses import base_url_of
from iflow_cli_proxy.signin.foreign.reading import Collector, Part, Unusable
from iflow_cli_proxy.signin.foreign.values import secret, word

PROVIDER: Final = "qwen"


def qwen_account(found: Collector, part: Part, label: str, *, expires_at: float | None) -> SavedAccount:
    """The account of one file. Raises Unusable when there is no access token in it."""
    tree = part.tree
    access_token = secret(tree, "access_token", what="access token")
    if not access_token:
        raise Unusable("it holds no access token")
    refresh_token = secret(tree, "refresh_token", what="refresh token")
    if not refresh_token:
        found.note(f"{label} has no refresh token: it works until its access token ends")
    named = word(tree, "resource_url", "endpoint")
    base_url = base_url_of(named)
    if named and not base_url:
        found.note(f"{label} names an API that is not the vendor's; the vendor's own is used")
    tokens = Tokens(
        access_token=access_token,
        refresh_token=refresh_token,
        expires_at=expires_at,
        token_type=word(tree, "token_type") or "Bearer",
        scope=word(tree, "scope"),
        base_url=base_url,
    )
    return SavedAccount(
        id="",
        provider=PROVIDER,
        label=label,
        auth_type=AuthType.OAUTH,
        tokens=tokens,
        base_url=base_url,
        updated_at=instant(tree.get("last_refresh")) or part.modified_at,
    )
