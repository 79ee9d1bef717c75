"""Which way of signing in fits a machine: a plain choice, made of facts that are handed over.

Knows what displays, SSH, containers, WSL and terminals mean for a browser. Refuses to look anything up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.signin import Method, SignIn

_REMOTE: Final = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY")
_ALWAYS_SHOWN: Final = ("darwin", "win32", "cygwin")
_TEXT_BROWSERS: Final = frozenset({"links", "links2", "elinks", "lynx", "w3m", "www-browser"})


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What of a machine decides how its person can sign in."""

    platform: str
    """`sys.platform`."""
    environ: Mapping[str, str] = field(default_factory=dict)
    is_container: bool = False
    is_wsl: bool = False
    can_ask: bool = False
    """Somebody sits at a terminal and can answer."""

    @property
    def is_remote(self) -> bool:
        """The person sits elsewhere, and so does the browser they see."""
        return self._has_any(_REMOTE)

    @property
    def shows_browsers(self) -> bool:
        """A browser opened from here is seen by the person, and finds its way back to a port of ours."""
        if self.is_remote:
            return False
        if self.platform in _ALWAYS_SHOWN or self._has_any(_DISPLAYS):
            return True
        if self.is_container:
            return False  # what BROWSER names opens one outside, which does not reach our loopback
        return self.is_wsl or self._names_a_browser

    @property
    def _names_a_browser(self) -> bool:
        named = self.environ.get("BROWSER", "").split()
        return bool(named) and PurePath(named[0]).name not in _TEXT_BROWSERS

    def _has_any(self, names: tuple[str, ...]) -> bool:
        return any(self.environ.get(name) for name in names)


def choose(sign_in: SignIn, machine: Machine, forced: Method | None = None) -> Method:
    """The most comfortable way that this provider offers and this machine allows, or the forced one.

    Raises:
        ConfigError: the provider does not offer it; the hint names what it does.
    """
    offered = sign_in.methods
    if forced is None:
        fitting = (method for method in _by_comfort(machine) if method in offered)
        if found := next(fitting, None):
            return found
        raise ConfigError(
            f"There is no way to sign in at {sign_in.provider}.",
            param=f"providers.{sign_in.provider}",
            hint=f"write api_key_env or a table oauth under [providers.{sign_in.provider}]",
        )
    if forced not in offered:
        others = " or ".join(map(flag, offered)) or "no way at all"
        raise ConfigError(
            f"{sign_in.provider} does not offer to sign in with {flag(forced)}.",
            param=flag(forced),
            hint=f"it takes {others}",
        )
    return forced


def flag(method: Method) -> str:
    """How it is forced on the command line."""
    return f"--{method.value.replace('_', '-')}"


def _by_comfort(machine: Machine) -> tuple[Method, ...]:
    if machine.can_ask:
        others = (Method.DEVICE, Method.PASTE, Method.API_KEY)
        return (Method.BROWSER, *others) if machine.shows_browsers else others
    # Nobody answers: a device code needs no answer here, and a key may come through a pipe.
    silent = (Method.DEVICE, Method.API_KEY)
    return (*silent, Method.BROWSER) if machine.shows_browsers else (*silent, Method.PASTE)
