"""One iFlow account from the pieces that four programs keep in four shapes.

Knows that the API key is what iFlow's API takes, and that the access token only fetches a new one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount, Tokens
from iflow_cli_proxy.signin.foreign.reading import Collector, Unusable
from iflow_cli_proxy.signin.foreign.values import address

PROVIDER: Final = "iflow"
OWN_ADDRESS: Final = "https://apis.iflow.cn/v1"
KEY_LATER: Final = "has no API key yet; the first refresh brings one"

_WRONG_HOST: Final = re.compile(r"^(https?://)api\.iflow\.cn(?=[:/]|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class IFlowPieces:
    """What a file says, still unjudged."""

    label: str
    api_key: Secret = field(default_factory=Secret)
    api_key_expires_at: float | None = None
    access_token: Secret = field(default_factory=Secret)
    refresh_token: Secret = field(default_factory=Secret)
    expires_at: float | None = None
    token_type: str = ""
    scope: str = ""
    base_url: str = ""
    user_id: str = ""


def iflow_account(found: Collector, pieces: IFlowPieces, **more: Any) -> SavedAccount:
    """The account; `more` are further fields of SavedAccount. Raises Unusable when nothing in it opens anything."""
    tokens = _tokens(pieces)
    if not pieces.api_key and tokens is None:
        raise Unusable(
            "it holds no API key" if not pieces.access_token else "it holds neither an API key nor a refresh"
        )
    if pieces.base_url and not address(pieces.base_url):
        found.note(f"{pieces.label} names an address that cannot be used; iFlow's own is used")
    return SavedAccount(
        provider=PROVIDER,
        label=pieces.label,
        auth_type=AuthType.OAUTH if tokens else AuthType.API_KEY,
        api_key=pieces.api_key,
        api_key_expires_at=pieces.api_key_expires_at,
        tokens=tokens,
        base_url=base_url(pieces.base_url),
        user_id=pieces.user_id,
        **{"id": "", **more},
    )


def base_url(text: str) -> str:
    """The address a file names, where it is a usable one that is not iFlow's own."""
    url = _WRONG_HOST.sub(r"\1apis.iflow.cn", address(text))
    return "" if url == OWN_ADDRESS else url


def _tokens(pieces: IFlowPieces) -> Tokens | None:
    """Only with both: without a refresh the access token is good for nothing here."""
    if not (pieces.access_token and pieces.refresh_token):
        return None
    return Tokens(
        access_token=pieces.access_token,
        refresh_token=pieces.refresh_token,
        # Without an API key the access token would go out in its place; as an expired one it is refreshed first.
        expires_at=pieces.expires_at if pieces.api_key else 0.0,
        token_type=pieces.token_type or "bearer",
        scope=pieces.scope,
    )
