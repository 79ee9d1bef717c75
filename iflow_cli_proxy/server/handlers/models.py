"""What the caller can ask for, in OpenAI's shape: a client key that is for some models sees no others."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import UnknownModel
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.client_key import allows_model
from iflow_cli_proxy.routing.resolve import Described, RoutingTable, describe
from iflow_cli_proxy.server.keys import EXCHANGE, STATE


async def list_models(request: web.Request) -> web.Response:
    return _listing(_rows(request))


async def list_vision_models(request: web.Request) -> web.Response:
    """Those that take images themselves."""
    return _listing(row for row in _rows(request) if row["vision"])


async def get_model(request: web.Request) -> web.Response:
    """Any name that can be asked for, listed or not: `provider/model`, an alias, a model with a wish."""
    asked = request.match_info["id"]
    found = describe(asked, _table(request))
    if found is None or not _may_use(request, asked, found):
        raise UnknownModel(
            "This model is not listed here.", hint="see GET /v1/models or run `iflow2api models`", param="model"
        )
    shown = found.model.id if found.model.id.lower() == asked.lower() else asked
    return web.Response(body=jsonx.encode(_row(shown, found)), content_type="application/json")


def _table(request: web.Request) -> RoutingTable:
    return request.app[STATE].gateway.current.table


def _may_use(request: web.Request, shown: str, found: Described) -> bool:
    return allows_model(request[EXCHANGE].caller.key, shown, f"{found.provider}/{found.model.id}")


def _rows(request: web.Request) -> Iterator[dict[str, Json]]:
    return (_row(shown, found) for shown, found in _found(_table(request)) if _may_use(request, shown, found))


def _found(table: RoutingTable) -> Iterator[tuple[str, Described]]:
    """Every listed model once, then the aliases that are plain names; each with the facts of what would answer."""
    seen: set[str] = set()
    for name, catalog in table.catalogs.items():
        for model in catalog.listed():
            if model.id.lower() not in seen:
                seen.add(model.id.lower())
                yield model.id, describe(model.id, table) or Described(provider=name, model=model)
    for alias in table.aliases:
        if any(mark in alias for mark in "*?[") or alias.lower() in seen:
            continue
        if (found := describe(alias, table)) is not None:
            yield alias, found


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
