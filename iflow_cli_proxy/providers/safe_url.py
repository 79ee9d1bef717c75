"""Addresses that may be told a secret, or shown to a person who is about to sign in.

Knows one rule: nobody on the way may read along (RELIABILITY I54). Refuses to know what the address is for.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from iflow_cli_proxy.config.safety import is_loopback

_LONGEST: Final = 2048
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%|-]+")
"""Those of RFC 3986, and a bar, which scopes like to use; nothing that a terminal or a shell could take for more."""


def is_safe(url: str) -> bool:
    """https to anywhere, or http that stays on this machine; never with a user name, which hides the real host."""
    if len(url) > _LONGEST or not _CHARACTERS.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or port == 0 or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
