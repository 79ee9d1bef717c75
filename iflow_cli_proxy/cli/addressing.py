"""Where a running gateway is called, and with which key. Imported only by commands that call one."""

from __future__ import annotations

from collections.abc import Mapping

from iflow_cli_proxy.config import checks
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.config.variables import CLIENT_KEY_VARIABLE
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.wiring.binding import url_of


def gateway_url(settings: Settings, url: str) -> str:
    """The gateway that was named, or the one these settings start; without a path.

    Raises:
        ConfigError: what was named is no http address.
    """
    if not url:
        return url_of(settings.server.host.strip("[]"), settings.server.port)
    if checks.http_url_or_empty(url):
        # Not completed by guessing: a key goes with the question, and http:// would send it in the open.
        raise ConfigError(
            "--url takes a URL that begins with http:// or https://.",
            hint=f"--url http://{'127.0.0.1:28000' if '://' in url else url}",
            param="--url",
        )
    return url.rstrip("/").removesuffix("/v1")


def client_key(settings: Settings, environ: Mapping[str, str]) -> str:
    """The key meant for this call counts more than those of the file, which may be another gateway's; "" for none."""
    named = environ.get(CLIENT_KEY_VARIABLE, "").partition(",")[0].strip()
    return named or next((key.reveal() for key in settings.auth.client_keys), "")
