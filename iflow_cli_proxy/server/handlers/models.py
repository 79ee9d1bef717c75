"""What can be asked for, in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import UnknownModel
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.routing.resolve import Described, RoutingTable, describe
from iflow_cli_proxy.server.keys import STATE


async def list_models(request: web.Request) -> web.Response:
    return _listing(_rows(_table(request)))


async def list_vision_models(request: web.Request) -> web.Response:
    """Those that take images themselves."""
    return _listing(row for row in _rows(_table(request)) if row["vision"])


async def get_model(request: web.Request) -> web.Response:
    """Any name that can be asked for, listed or not: `provider/model`, an alias, a model with a wish."""
    asked = request.match_info["id"]
    found = describe(asked, _table(request))
    if found is None:
        raise UnknownModel(
            "This model is not listed here.", hint="see GET /v1/models or run `iflow2api models`", param="model"
        )
    shown = found.model.id if found.model.id.lower() == asked.lower() else asked
    return web.Response(body=jsonx.encode(_row(shown, found)), content_type="application/json")


def _table(request: web.Request) -> RoutingTable:
    return request.app[STATE].gateway.current.table


def _rows(table: RoutingTable) -> Iterator[dict[str, Json]]:
    """Every listed model once, then the aliases that are plain names; each with the facts of what would answer."""
    seen: set[str] = set()
    for name, catalog in table.catalogs.items():
        for model in catalog.listed():
            if model.id.lower() not in seen:
                seen.add(model.id.lower())
                yield _row(model.id, describe(model.id, table) or Described(provider=name, model=model))
    for alias in table.aliases:
        if any(mark in alias for mark in "*?[") or alias.lower() in seen:
            continue
        if (found := describe(alias, table)) is not None:
            yield _row(alias, found)


def _row(shown: str, found: Described) -> dict[str, Json]:
    model = found.model
    row: dict[str, Json] = {
        "id": shown,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by or found.provider,
        "provider": found.provider,
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
