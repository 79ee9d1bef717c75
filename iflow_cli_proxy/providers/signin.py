"""The sign-in port: what signing in at one provider takes, as data.

Knows the pieces of OAuth 2.0 (RFC 6749, RFC 7636, RFC 8252, RFC 8628) that providers differ in. Requests are made of it
and answers read by `providers/oauth.py`; the flows themselves are in `signin/`. No sockets, clocks or files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import SavedAccount, Tokens
from iflow_cli_proxy.transport.base import UpstreamRequest

_ASSUMED_LIFE_S: Final = 3600.0
"""Of a token whose server says nothing: the usual one of OAuth servers."""


class Method(StrEnum):
    """How a person signs in."""

    BROWSER = "browser"
    """Authorization code; the browser of this machine comes back to a port on loopback."""
    PASTE = "paste"
    """Authorization code; the person brings the code, or the address the browser ended at."""
    DEVICE = "device"
    """Device code: any browser anywhere, and this machine waits."""
    API_KEY = "api_key"


@dataclass(frozen=True, kw_only=True)
class OAuthAnswer:
    """What an OAuth endpoint sent, whole."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Lower-case names."""
    body: bytes = field(repr=False)
    """Full of secrets when all went well."""


@dataclass(frozen=True, kw_only=True)
class OAuthClient:
    """Us, as one OAuth server knows us, and where it is."""

    token_url: str
    client_id: str
    provider: str = ""
    """As in `[providers.NAME]`, for settings and commands that a message names."""
    client_secret: Secret = field(default_factory=Secret)
    """Public clients have none; the ones that vendors embed in their programs are public knowledge."""
    sends_basic: bool = False
    """Id and secret go out as `Authorization: Basic` besides the form."""
    authorize_url: str = ""
    """Empty when there is no authorization code flow."""
    authorize_extra: Mapping[str, str] = field(default_factory=dict)
    """Query parameters before our own."""
    redirect_parameter: str = "redirect_uri"
    """What the authorize page calls it (`redirect` at iFlow); the token endpoint always says `redirect_uri`."""
    sends_response_type: bool = True
    redirect_host: str = "127.0.0.1"
    """The name in the redirect address; the listener is on 127.0.0.1 whatever it says."""
    redirect_port: int = 0
    """Tried first; 0 and any other free one after it."""
    redirect_path: str = "/oauth2callback"
    paste_redirect: str = ""
    """A page of the provider that shows the code; without it the browser's address bar is copied."""
    device_url: str = ""
    """Empty when there is no device code flow."""
    scope: str = ""
    uses_pkce: bool = True
    names_requests: bool = False
    """Sends an `x-request-id` of its own with each call (Qwen)."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers of every call."""
    base_url_fields: tuple[str, ...] = ()
    """Fields of a token answer that say where the API is, best first."""
    base_url_of: Callable[[str], str] | None = None
    """Makes a base URL of such a field; "" for a value that must not be trusted."""


@dataclass(frozen=True, kw_only=True)
class DeviceGrant:
    """A device code that waits for its person (RFC 8628, section 3.2). Cleaned: safe to print."""

    device_code: Secret
    user_code: str
    verification_uri: str
    """https, or http on loopback; nothing else is shown or opened (I54)."""
    verification_uri_complete: str
    """The same with the code in it, or empty."""
    expires_in_s: float
    interval_s: float
    """Between two polls, within 1 to 60 s."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A poll's answer: the person has not decided yet."""

    is_slower: bool = False
    """The server asks for a longer interval, which then stays."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a provider tells about who signed in."""

    api_key: Secret
    """The bearer for the API."""
    label: str = ""
    user_id: str = ""


class Profiles(Protocol):
    """A provider whose API takes another key than the access token."""

    def request(self, tokens: Tokens) -> UpstreamRequest: ...

    def read(self, answer: OAuthAnswer) -> Profile:
        """Raises LoginRequired (401), or an error that may pass; never answers an empty key."""
        ...


@dataclass(frozen=True, kw_only=True)
class RefreshPolicy:
    """When to refresh, and how patient to be with a server that cannot."""

    ahead_s: float = 900.0
    """In the background, this long before the access token ends..."""
    jitter_s: float = 300.0
    """...give or take up to this much, drawn for each account."""
    hard_ahead_s: float = 60.0
    """A request waits for a refresh when its bearer ends within this; 0 when the bearer outlives the access token."""
    least_interval_s: float = 300.0
    """Never more often than this, except once after the upstream refused the bearer."""
    backoff_s: float = 30.0
    longest_backoff_s: float = 300.0
    gives_up_after_s: float = 86_400.0
    """Nothing but failures that pass for so long means: sign in again."""


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """How people sign in at one provider, and how they stay signed in."""

    provider: str
    """As in `[providers.NAME]`."""
    client: OAuthClient | None = None
    """None where there are only API keys."""
    profiles: Profiles | None = None
    policy: RefreshPolicy = field(default_factory=RefreshPolicy)
    takes_api_key: bool = True
    notice: str = ""
    """What a person should know before signing in, such as that the vendor has closed the service."""
    key_page: str = ""
    """Where API keys are made; empty when unknown."""

    @property
    def methods(self) -> tuple[Method, ...]:
        """Those that exist here, the most comfortable first."""
        offered: list[Method] = []
        if self.client and self.client.authorize_url:
            offered += [Method.BROWSER]
        if self.client and self.client.device_url:
            offered += [Method.DEVICE]
        if self.client and self.client.authorize_url:
            offered += [Method.PASTE]
        if self.takes_api_key:
            offered += [Method.API_KEY]
        return tuple(offered)


def token_ends_at(account: SavedAccount) -> float | None:
    """When the access token ends, by its server or else by what is usual; None when that may be any moment."""
    if account.tokens is not None and account.tokens.expires_at is not None:
        return account.tokens.expires_at
    return None if account.refreshed_at is None else account.refreshed_at + _ASSUMED_LIFE_S
