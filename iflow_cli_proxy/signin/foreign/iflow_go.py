"""iflow-go's `data/accounts/<uuid>.json`, one account each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.signin.foreign.iflow_account import IFlowPieces, iflow_account
from iflow_cli_proxy.signin.foreign.reading import Collector, Part, Reading
from iflow_cli_proxy.signin.foreign.values import count, secret, word


def is_one(tree: Mapping[str, Json]) -> bool:
    return "uuid" in tree and "api_key" in tree


def read(parts: Sequence[Part], environ: Mapping[str, str]) -> Reading:
    found = Collector()
    for part in parts:
        found.take(word(part.tree, "uuid")[:8] or part.path.stem, partial(_account, found, part))
    return found.reading()


def _account(found: Collector, part: Part) -> SavedAccount:
    """The UUID stays the id, for clients of iflow-go may use it as their key."""
    tree = part.tree
    uuid = word(tree, "uuid").lower()
    pieces = IFlowPieces(
        label=f"iflow-go-{uuid[:8]}" if uuid else part.path.stem,
        api_key=secret(tree, "api_key"),
        access_token=secret(tree, "oauth_access_token", what="access token"),
        refresh_token=secret(tree, "oauth_refresh_token", what="refresh token"),
        expires_at=instant(tree.get("oauth_expires_at")),
        base_url=word(tree, "base_url"),
    )
    return iflow_account(
        found,
        pieces,
        id=uuid,
        created_at=instant(tree.get("created_at")) or 0.0,
        updated_at=instant(tree.get("updated_at")) or part.modified_at,
        last_used_at=instant(tree.get("last_used_at")),
        request_count=count(tree, "request_count"),
    )
