"""`GET /admin/models`: what can be asked for, where each model goes, and other names for them."""

from __future__ import annotations

from contextlib import suppress

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.routing.catalog import Model
from iflow_cli_proxy.routing.resolve import RoutingTable, resolve
from iflow_cli_proxy.server.admin.visit import Visit


async def list_models(visit: Visit) -> Json:
    """Each model once, as the provider lists it that is asked first."""
    table = visit.state.gateway.current.table
    seen: set[str] = set()
    rows = []
    for provider, catalog in table.catalogs.items():
        for model in catalog.listed():
            if model.id.lower() not in seen:
                seen.add(model.id.lower())
                rows.append(_row(provider, model, table))
    return {"models": rows, "aliases": dict(visit.state.settings.current.models.aliases)}


def _row(provider: str, model: Model, table: RoutingTable) -> dict[str, Json]:
    routes: list[Json] = []
    with suppress(GatewayError):  # one that goes nowhere is shown without a way
        routes = [str(route) for route in resolve(model.id, table)]
    return {
        "id": model.id,
        "provider": provider,
        "context_window": model.context_tokens or None,
        "max_output_tokens": model.output_tokens or None,
        "vision": model.has_vision is True,
        "thinking": model.thinking != "no",
        "routes": routes,
    }
