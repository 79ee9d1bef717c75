"""Which proxy a URL goes through, and which setting to name when that proxy fails.

Knows the configured proxy and, only when asked to, the environment's. Refuses to connect to anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.transport.base import TransportOptions

_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Proxy:
    url: str = field(repr=False)
    """With credentials, if it has any: never shown."""
    setting: str
    """Where the URL came from, for messages: `upstream.proxy` or the environment variable."""

    @property
    def is_socks(self) -> bool:
        return self.url.startswith("socks5")


class ProxyChoice:
    """Answers `which proxy for this URL?`; the environment is read once."""

    def __init__(self, options: TransportOptions) -> None:
        self._fixed = _checked(options.proxy, "upstream.proxy") if options.proxy else None
        self._environment = getproxies_environment() if options.trust_env and not options.proxy else {}
        self._known: dict[tuple[str, str], Proxy | None] = {}

    def __call__(self, url: str) -> Proxy | None:
        if not self._environment:
            return self._fixed
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        if key not in self._known:
            self._known[key] = self._look_up(parts.scheme, parts.netloc)
        return self._known[key]

    def _look_up(self, scheme: str, netloc: str) -> Proxy | None:
        if proxy_bypass_environment(netloc, self._environment):
            return None
        for name in (scheme, "all"):
            if url := self._environment.get(name):
                return _checked(url, f"{name.upper()}_PROXY")
        return None


def _checked(url: str, setting: str) -> Proxy:
    """The proxy with a scheme and a port, or an error that repeats nothing of the URL, which may hold a password."""
    full = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(full)
        is_usable = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_usable = False
        parts = urlsplit("")
    if not is_usable:
        raise ConfigError(
            f"The proxy in {setting} is not a usable URL.",
            param=setting,
            hint="write it as http://host:port, https://host:port, socks5://host:port or socks5h://host:port",
        )
    if parts.port is None and parts.scheme.startswith("socks5"):
        full = parts._replace(netloc=f"{parts.netloc}:1080").geturl()
    return Proxy(full.rstrip("/"), setting)
