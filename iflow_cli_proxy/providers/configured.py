"""The API key that a `[providers.NAME]` table holds, or names a variable for.

Refuses to know sign-ins and other programs' files.
"""

from __future__ import annotations

from collections.abc import Mapping

from iflow_cli_proxy.config.schema import ProviderSettings
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.discovery import Discovery, Finding
from iflow_cli_proxy.providers.presets import Preset


def configured(
    name: str, settings: ProviderSettings, preset: Preset, environ: Mapping[str, str], *, default_concurrency: int = 0
) -> Discovery:
    """The account whose key stands in the table or in the variables it or its preset names."""
    variables = (settings.api_key_env,) if settings.api_key_env else preset.key_variables
    variable = next((name for name in variables if environ.get(name, "").strip()), "")
    key, origin = settings.api_key.reveal().strip(), f"providers.{name}.api_key"
    if not key and variable:
        key, origin = environ[variable].strip(), variable
    if not key:
        unset = f"is not set, so {name} is called without a key"
        missing = (Finding(where=settings.api_key_env, problem=unset),) if settings.api_key_env else ()
        return Discovery(findings=missing)
    if not (key.isascii() and key.isprintable()) or " " in key:
        return Discovery(findings=(Finding(where=origin, problem="holds characters that no key has"),))
    concurrency = settings.concurrency or default_concurrency
    account = Account(
        id=name, provider=name, label=name, api_key=Secret(key), concurrency=concurrency, origin=origin
    )  # fmt: skip
    return Discovery(accounts=(account,))
