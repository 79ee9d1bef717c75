"""Qwen Code's `oauth_creds.json`, and the named files beside it in which other proxies keep more accounts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from iflow_cli_proxy.core.instants import instant
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.signin.foreign.qwen_account import qwen_account
from iflow_cli_proxy.signin.foreign.reading import Collector, Part, Reading

_NAMED: Final = re.compile(r"oauth_creds_(?P<name>[A-Za-z0-9._@-]{1,64})\.json")
_DEFAULT: Final = "default"


def is_one(tree: Mapping[str, Json]) -> bool:
    return "access_token" in tree and "resource_url" in tree


def read(parts: Sequence[Part], environ: Mapping[str, str]) -> Reading:
    """One account for each file, called as the file is."""
    found = Collector()
    for part in parts:
        named = _NAMED.fullmatch(part.path.name)
        label = named["name"] if named else _DEFAULT
        expires_at = instant(part.tree.get("expiry_date"))
        found.take(label, partial(qwen_account, found, part, label, expires_at=expires_at))
    return found.reading()
