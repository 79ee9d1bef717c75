"""What is settled before an account is asked for: what its pool calls the model, and whether any can be had at all.

Pure. Refuses to know the pool.
"""

from __future__ import annotations

from iflow_cli_proxy.core.errors import LoginRequired, NoAccountAvailable
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.routing.catalog import Catalog
from iflow_cli_proxy.routing.resolve import Route


def known_as(model: str, catalog: Catalog) -> tuple[str, bool]:
    """What a model is called in the pool, however a client spelt it and whatever it wishes in brackets, and whether
    the catalogue has it."""
    found, _ = catalog.split(model)
    if found is not None:
        return found.id, True
    return (model.partition("(")[0] or model).lower(), False


def refuse_without_sign_in(route: Route, upstream: Upstream, now: float) -> None:
    """Raises what is to be said where no account of a provider can be used at all."""
    if upstream.needs_login:
        raise LoginRequired(
            f"Every account of `{route.provider}` needs a new sign-in.", hint=f"iflow2api login {route.provider}"
        )
    if upstream.rests_until > now:
        raise NoAccountAvailable(
            f"The sign-in of `{route.provider}` cannot be refreshed just now; it is tried again soon.",
            retry_after_s=upstream.rests_until - now,
        )
