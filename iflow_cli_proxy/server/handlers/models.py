"""What can be asked for, in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import UnknownModel
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.gateway.exchange import Gateway
from iflow_cli_proxy.routing.catalog import Model
from iflow_cli_proxy.server.keys import STATE


async def list_models(request: web.Request) -> web.Response:
    return _listing(_rows(request.app[STATE].gateway.current))


async def list_vision_models(request: web.Request) -> web.Response:
    """Those that take images themselves."""
    gateway = request.app[STATE].gateway.current
    return _listing(row for row in _rows(gateway) if row["vision"])


async def get_model(request: web.Request) -> web.Response:
    asked = request.match_info["id"]
    for row in _rows(request.app[STATE].gateway.current):
        if row["id"].lower() == asked.lower():
            return web.Response(body=jsonx.encode(row), content_type="application/json")
    raise UnknownModel(
        "This model is not listed here.", hint="see GET /v1/models or run `iflow2api models`", param="model"
    )


def _rows(gateway: Gateway) -> Iterator[dict[str, Json]]:
    """Every listed model once, then the aliases that are plain names."""
    seen: set[str] = set()
    for name, catalog in gateway.table.catalogs.items():
        for model in catalog.listed():
            if model.id.lower() not in seen:
                seen.add(model.id.lower())
                yield _row(model, name)
    for alias in gateway.table.aliases:
        if not any(mark in alias for mark in "*?[") and alias.lower() not in seen:
            yield _row(Model(id=alias), "alias")


def _row(model: Model, provider: str) -> dict[str, Json]:
    row: dict[str, Json] = {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by or provider,
        "provider": provider,
        "vision": model.has_vision,
        "thinking": model.thinking,
    }
    if model.context_tokens:
        row["context_window"] = model.context_tokens
    if model.output_tokens:
        row["max_output_tokens"] = model.output_tokens
    return row


def _listing(rows: Iterator[dict[str, Json]]) -> web.Response:
    body = jsonx.encode({"object": "list", "data": list(rows)})
    return web.Response(body=body, content_type="application/json")
