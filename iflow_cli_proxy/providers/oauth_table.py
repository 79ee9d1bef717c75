"""`[providers.NAME.oauth]`: a sign-in that is only configuration, and configuration laid over a sign-in we know.

Knows what a table must say before it can be used, and names the setting at fault where it does not. Endpoints are told
codes and tokens, so plain http is taken only where it stays on this machine. Refuses to know any one provider.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from iflow_cli_proxy.config.schema import OAuthSettings, ProviderSettings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers.safe_url import is_safe
from iflow_cli_proxy.providers.signin import OAuthClient, RefreshPolicy, SignIn

_HOSTS: Final = ("127.0.0.1", "localhost")
_PATH: Final = re.compile(r"/(?!/)[A-Za-z0-9._~/-]{0,200}")
_JITTER_PART: Final = 4
"""A wish for an early refresh is spread over this part of it at most."""


def sign_in(name: str, settings: ProviderSettings, environ: Mapping[str, str]) -> SignIn:
    """How people sign in at a provider that nobody wrote code for: by its table, or with an API key.

    Raises:
        ConfigError: the table is there but cannot be used; `param` is the setting.
    """
    table = settings.oauth
    if table == OAuthSettings():
        return SignIn(provider=name)
    if table.userinfo_url:
        raise _wrong(name, "userinfo_url", "Only iflow makes an API key of an access token.", "take it out")
    for leaf in ("token_url", "client_id"):
        if not getattr(table, leaf):
            raise _wrong(name, leaf, f"The sign-in of {name!r} has no {leaf}.", f"write it under [{_table(name)}]")
    if not table.authorize_url and not table.device_url:
        raise _wrong(
            name,
            "authorize_url",
            f"The sign-in of {name!r} has neither an authorize_url nor a device_url.",
            f"write one of them under [{_table(name)}]",
        )
    client = overlaid(OAuthClient(provider=name, token_url="", client_id=""), table, environ)
    return SignIn(provider=name, client=client, policy=paced(RefreshPolicy(), table))


def overlaid(client: OAuthClient, table: OAuthSettings, environ: Mapping[str, str]) -> OAuthClient:
    """`client` with everything that the table says; `client.provider` names the table in errors.

    Raises:
        ConfigError: a setting cannot be used; `param` is its name.
    """
    _check(client.provider, table)
    changed = replace(
        client,
        authorize_url=table.authorize_url or client.authorize_url,
        device_url=table.device_url or client.device_url,
        token_url=table.token_url or client.token_url,
        client_id=table.client_id or client.client_id,
        client_secret=_secret(client, table, environ),
        scope=table.scope.strip() or client.scope,
        uses_pkce=client.uses_pkce and table.pkce,
        redirect_host=table.redirect_host or client.redirect_host,
        redirect_port=table.redirect_port or client.redirect_port,
        redirect_path=table.redirect_path or client.redirect_path,
    )
    if changed.authorize_url == client.authorize_url:
        return changed
    # Its pages belong to the server that was replaced.
    return replace(changed, paste_redirect="")


def paced(policy: RefreshPolicy, table: OAuthSettings) -> RefreshPolicy:
    """`policy` with the table's own `refresh_ahead_s`, where it has one."""
    ahead_s = table.refresh_ahead_s
    if not ahead_s:
        return policy
    return replace(
        policy,
        ahead_s=ahead_s,
        jitter_s=min(policy.jitter_s, ahead_s / _JITTER_PART),
        hard_ahead_s=min(policy.hard_ahead_s, ahead_s),
    )


def _check(name: str, table: OAuthSettings) -> None:
    for leaf in ("authorize_url", "device_url", "token_url", "userinfo_url"):
        url = getattr(table, leaf)
        if url and (not is_safe(url) or "#" in url):
            raise _wrong(
                name,
                leaf,
                f"The {leaf} of {name!r} is not an address that codes and tokens may be sent to.",
                "give an https:// address without fragment; http:// only on this machine",
            )
    if table.redirect_host and table.redirect_host not in _HOSTS:
        raise _wrong(
            name, "redirect_host", "A sign-in comes back to this machine only.", f"use one of {', '.join(_HOSTS)}"
        )
    if table.redirect_path and not _PATH.fullmatch(table.redirect_path):
        raise _wrong(
            name, "redirect_path", f"The redirect_path of {name!r} is not a plain path.", "write it like /callback"
        )


def _secret(client: OAuthClient, table: OAuthSettings, environ: Mapping[str, str]) -> Secret:
    """The table's secret; the built-in one only beside the built-in id, to which it belongs."""
    if table.client_secret:
        return table.client_secret
    if table.client_secret_env:
        value = environ.get(table.client_secret_env, "").strip()
        if not value:
            problem = f"{table.client_secret_env} is not set."
            raise _wrong(client.provider, "client_secret_env", problem, f"set {table.client_secret_env}")
        return Secret(value)
    is_ours = not table.client_id or table.client_id == client.client_id
    return client.client_secret if is_ours else Secret()


def _table(name: str) -> str:
    return f"providers.{name}.oauth"


def _wrong(name: str, leaf: str, problem: str, hint: str) -> ConfigError:
    return ConfigError(problem, param=f"{_table(name)}.{leaf}", hint=hint)
