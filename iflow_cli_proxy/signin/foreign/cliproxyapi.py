"""CLIProxyAPI's files, one account each: `iflow-<email>-<time>.json` and `qwen-<email>.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta, timezone
from functools import partial
from typing import Final

from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.signin.foreign.iflow_account import IFlowPieces, iflow_account
from iflow_cli_proxy.signin.foreign.qwen_account import qwen_account
from iflow_cli_proxy.signin.foreign.reading import Collector, Part, Reading, Unusable
from iflow_cli_proxy.signin.foreign.values import secret, word

_CHINA: Final = timezone(timedelta(hours=8))
"""The zone of the dates that a sign-in by cookie brings without one."""


def is_one(tree: Mapping[str, Json]) -> bool:
    return isinstance(tree.get("type"), str) and bool(tree.keys() & {"access_token", "api_key", "cookie"})


def read(parts: Sequence[Part], environ: Mapping[str, str]) -> Reading:
    found = Collector()
    for part in parts:
        found.take(word(part.tree, "email") or part.path.stem, partial(_account, found, part))
    return found.reading()


def _account(found: Collector, part: Part) -> SavedAccount:
    label = word(part.tree, "email") or part.path.stem
    match part.tree.get("type"):
        case "iflow":
            return _iflow(found, part, label)
        case "qwen":
            return qwen_account(found, part, label, expires_at=instant(part.tree.get("expired")))
        case other:
            raise Unusable(f"sign-ins of {str(other)[:40]!r} cannot be taken over")


def _iflow(found: Collector, part: Part, label: str) -> SavedAccount:
    tree = part.tree
    has_cookie = bool(tree.get("cookie")) and not tree.get("refresh_token")
    ends_at = instant(tree.get("expired"), _CHINA)
    pieces = IFlowPieces(
        label=label,
        api_key=secret(tree, "api_key"),
        api_key_expires_at=ends_at if has_cookie else None,
        access_token=secret(tree, "access_token", what="access token"),
        refresh_token=secret(tree, "refresh_token", what="refresh token"),
        expires_at=ends_at,
        token_type=word(tree, "token_type"),
        scope=word(tree, "scope"),
    )
    if has_cookie:
        found.note(f"{label} was signed in by a cookie, which stays behind: when its key ends, sign in again")
    return iflow_account(found, pieces, updated_at=instant(tree.get("last_refresh")) or part.modified_at)
