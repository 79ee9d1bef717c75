"""How people sign in to Qwen: a device code with PKCE, as the vendor's client asks for it, or an API key.

Knows endpoints, the public client and when to refresh. The requests and answers are `providers/oauth.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from iflow_cli_proxy.config.schema import ProviderSettings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.providers.oauth_table import overlaid, paced
from iflow_cli_proxy.providers.qwen import sunset
from iflow_cli_proxy.providers.qwen.addresses import base_url_of, is_vendors
from iflow_cli_proxy.providers.qwen.credentials import ADDRESS_FIELDS
from iflow_cli_proxy.providers.safe_url import is_safe
from iflow_cli_proxy.providers.signin import OAuthClient, RefreshPolicy, SignIn

BASE: Final = "https://chat.qwen.ai"
DEVICE_PATH: Final = "/api/v1/oauth2/device/code"
TOKEN_PATH: Final = "/api/v1/oauth2/token"
CLIENT_ID: Final = "f0304373b74a44d2b584a3fb70ca9e56"
SCOPE: Final = "openid profile email model.completion"
KEY_PAGE: Final = "https://www.alibabacloud.com/help/en/model-studio/get-api-key"

POLICY: Final = RefreshPolicy(ahead_s=900.0, jitter_s=300.0, hard_ahead_s=30.0)
"""A token lives some six hours."""


def sign_in(name: str, settings: ProviderSettings, environ: Mapping[str, str], *, now: float) -> SignIn:
    """The vendor's sign-in, less what the environment (`QWEN_*`) and the provider's own `oauth` table say otherwise.

    Raises:
        ConfigError: an address cannot be trusted with codes and tokens; `param` is the setting or the variable.
    """
    base = _address(environ, "QWEN_BASE_URL") or BASE
    vendors = OAuthClient(
        provider=name,
        device_url=_address(environ, "QWEN_DEVICE_CODE_ENDPOINT") or base + DEVICE_PATH,
        token_url=_address(environ, "QWEN_TOKEN_ENDPOINT") or base + TOKEN_PATH,
        client_id=_text(environ, "QWEN_CLIENT_ID") or CLIENT_ID,
        scope=_text(environ, "QWEN_SCOPE") or SCOPE,
        uses_pkce=True,
        names_requests=True,
        base_url_fields=ADDRESS_FIELDS,
        base_url_of=partial(base_url_of, configured=settings.base_url),
    )
    client = overlaid(vendors, settings.oauth, environ)
    has_ended = sunset.is_past(now) and is_vendors(client.token_url)
    return SignIn(
        provider=name,
        client=client,
        policy=paced(POLICY, settings.oauth),
        notice=sunset.NOTICE if has_ended else "",
        key_page=KEY_PAGE,
    )


def _text(environ: Mapping[str, str], variable: str) -> str:
    return environ.get(variable, "").strip()


def _address(environ: Mapping[str, str], variable: str) -> str:
    url = _text(environ, variable).rstrip("/")
    if url and not is_safe(url):
        raise ConfigError(
            f"{variable} is not an address that codes and tokens may be sent to.",
            param=variable,
            hint="give an https:// address; http:// only on this machine",
        )
    return url
