"""What a value of the right type must still satisfy.

Each check answers with what was expected, or with nothing when the value is fine. It never repeats the value, which
may be a secret. Refuses to know which setting it serves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
"""Names of providers and kinds: they become file names and environment variables (RELIABILITY I39)."""

_HOST_NAME: Final = re.compile(r"[a-z0-9._-]+", re.IGNORECASE)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h", "socks4", "socks4a")


def not_empty(value: str) -> str:
    return "" if value.strip() else "some text"


def no_empty_items(value: Sequence[object]) -> str:
    return "" if all(value) else "a list without empty items"


def no_empty_values(value: Mapping[str, str]) -> str:
    return "" if all(name and target for name, target in value.items()) else "a name on both sides of every ="


def chains(value: Mapping[str, Sequence[str]]) -> str:
    is_good = all(name.strip() and chain and all(each.strip() for each in chain) for name, chain in value.items())
    return "" if is_good else "a model on the left of every =, and one or more on the right"


def name_or_empty(value: str) -> str:
    return "" if not value or NAME.fullmatch(value) else "a name of a-z, 0-9, - and _"


def status_codes(value: Sequence[int]) -> str:
    return "" if all(400 <= code <= 599 for code in value) else "statuses between 400 and 599"


def http_url_or_empty(value: str) -> str:
    if value and not is_http_url(value):
        return "a URL such as http://127.0.0.1:9801/v1"
    return "a URL without user and password (the key belongs in api_key_env)" if has_userinfo(value) else ""


def collector_url(value: str) -> str:
    if not is_http_url(value):
        return "a URL such as http://127.0.0.1:4318"
    return "a URL without user and password (they belong in a header)" if has_userinfo(value) else ""


def is_http_url(value: str) -> bool:
    return _is_url(value, ("http", "https"))


def has_userinfo(url: str) -> bool:
    """True for `http://user:password@host`."""
    return "@" in urlsplit(url).netloc


def host(value: str) -> str:
    return "" if value.strip() else "an address such as 127.0.0.1 or 0.0.0.0"


def host_names(value: Sequence[str]) -> str:
    return "" if all(map(_HOST_NAME.fullmatch, value)) else "names without port and path, such as gateway.example.com"


def proxy_url(value: str) -> str:
    return "" if not value or _is_url(value, _PROXY_SCHEMES) else "a URL such as socks5h://127.0.0.1:1080"


_FRAMING: Final = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
"""What the connection itself has to say: another word about it makes one request into two (RFC 9112, section 11.2)."""


def headers(value: str | Mapping[str, str]) -> str:
    if isinstance(value, str):
        return ""
    fine = all(_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(text) for name, text in value.items())
    if not fine:
        return "HTTP header names with values on one line"
    return "headers that say nothing of where a body ends" if _FRAMING & {name.lower() for name in value} else ""


def _is_url(value: str, schemes: Sequence[str]) -> bool:
    try:
        parts = urlsplit(value)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    has_space = any(char.isspace() or ord(char) < 32 for char in value)
    return parts.scheme in schemes and bool(parts.hostname) and port_is_fine and not has_space
