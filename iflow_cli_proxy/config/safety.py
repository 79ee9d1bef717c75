"""Which settings would open the accounts of this machine to strangers, or ask for what is not there yet.

Every tree passes here before it is put in force: at the start, at a reload, and in `config validate`. Refuses to know
where a setting came from and what providers are.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import ConfigError

_SHORTEST_KEY: Final = 12
_MAKE_ONE: Final = "make one with `iflow2api key create NAME`"


def check_safe(settings: Settings, *, has_other_keys: bool = False) -> Settings:
    """The same settings, if it is safe to serve with them.

    `has_other_keys`: somebody can call with a key that is not among the settings.

    Raises:
        ConfigError: with the way out.
    """
    if settings.server.workers > 1:
        raise ConfigError(
            "More than one worker needs Redis for the shared state, which this version does not have yet.",
            param="server.workers",
            hint="leave it at 1",
        )
    has_keys = has_other_keys or bool(settings.auth.client_keys)
    if not is_loopback(settings.server.host):
        _check_public(settings, has_keys=has_keys)
    elif are_keys_required(settings) and not has_keys:
        raise ConfigError(
            "auth.required is always, but there is no client key, so nobody could call.",
            param="auth.client_keys",
            hint=f"{_MAKE_ONE}, or set IFLOW2API_CLIENT_KEY to a long random word",
        )
    return settings


def are_keys_required(settings: Settings) -> bool:
    """`auto` asks for keys on every address but loopback."""
    match settings.auth.required:
        case "always":
            return True
        case "never":
            return False
        case "auto":
            return not is_loopback(settings.server.host)


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_public(settings: Settings, *, has_keys: bool) -> None:
    """What an address that others can reach asks for."""
    keys = settings.auth.client_keys
    if settings.auth.required == "never":
        raise ConfigError(
            f"Serving on {settings.server.host} without asking for client keys would let anyone use your accounts.",
            param="auth.required",
            hint="leave auth.required at auto, or listen on 127.0.0.1",
        )
    if not has_keys:
        raise ConfigError(
            f"Serving on {settings.server.host} without client keys would let anyone use your accounts.",
            param="auth.client_keys",
            hint=f"{_MAKE_ONE}, or set IFLOW2API_CLIENT_KEY to a long random word, or listen on 127.0.0.1",
        )
    if any(len(key.reveal()) < _SHORTEST_KEY for key in keys):
        raise ConfigError(
            f"A client key of fewer than {_SHORTEST_KEY} characters can be guessed.",
            param="auth.client_keys",
            hint="choose a long random word, for instance from `openssl rand -hex 24`",
        )
