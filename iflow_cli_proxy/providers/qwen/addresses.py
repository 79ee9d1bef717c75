"""Where a Qwen account's requests go: what a `resource_url` means, and which ones a token may be sent to.

The value comes from a file or from a server's answer and decides who sees the token, so a host must be one of the
vendor's unless the person's own configuration names it. Refuses to know requests.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from iflow_cli_proxy.config.checks import is_http_url

PORTAL: Final = "https://portal.qwen.ai/v1"
"""For sign-ins that name no place of their own: their tokens are refused by DashScope."""
DASHSCOPE: Final = "https://dashscope.aliyuncs.com/compatible-mode/v1"
"""For API keys."""
_VENDOR_HOST: Final = re.compile(r"(?:.+\.)?(?:qwen\.ai|dashscope(?:-[a-z0-9]+)*\.aliyuncs\.com)")
"""Not all of aliyuncs.com: whoever rents something at Alibaba Cloud gets a name there."""

_VERSION: Final = "/v1"
_HAS_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)
_SHAPE: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(?:/[A-Za-z0-9._~/-]*)?", re.IGNORECASE)
"""A host and a path, and no more: no user name, no query, nothing escaped."""


def normalized(resource_url: str) -> str:
    """`portal.qwen.ai` as `https://portal.qwen.ai/v1`; empty stays empty. Trusts nobody."""
    url = resource_url.strip()
    if not url:
        return ""
    url = (url if _HAS_SCHEME.match(url) else f"https://{url}").rstrip("/")
    return url if url.endswith(_VERSION) else url + _VERSION


def base_url_of(resource_url: str, configured: str = "") -> str:
    """The base URL a token may be sent to; empty when there is none or it must not be trusted.

    `configured` is an address from the person's own configuration: its host is as good as the vendor's.
    """
    url = normalized(resource_url)
    if not _SHAPE.fullmatch(url) or not is_http_url(url):
        return ""
    is_fine = _is_configured(url, configured) or (_origin(url)[0] == "https" and is_vendors(url))
    return url if is_fine else ""


def is_vendors(url: str) -> bool:
    """Whether the host is the vendor's, whatever the scheme."""
    host = _origin(url)[1]
    return _VENDOR_HOST.fullmatch(host) is not None


def as_resource_url(base_url: str) -> str:
    """A base URL as the vendor's client writes it: without the scheme it assumes and the version it appends."""
    path = urlsplit(base_url).path
    bare = base_url.removesuffix(_VERSION) if path == _VERSION else base_url
    return bare.removeprefix("https://")


def _is_configured(url: str, configured: str) -> bool:
    return bool(configured) and _origin(url) == _origin(configured)


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; an empty host when the URL has none or a port that is no number."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", "", 0
    return parts.scheme, (parts.hostname or "").rstrip("."), port
