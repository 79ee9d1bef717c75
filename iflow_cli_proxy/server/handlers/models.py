"""What the caller can ask for, in the caller's shape: a client key that is for some models sees no others."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest, NotFound, UnknownModel
from iflow_cli_proxy.pool.client_key import allows_model
from iflow_cli_proxy.protocols import CODECS, ollama_models
from iflow_cli_proxy.protocols.checking import invalid, read_object
from iflow_cli_proxy.protocols.listing import ModelRow
from iflow_cli_proxy.routing.resolve import Described, RoutingTable, describe
from iflow_cli_proxy.server.body import read_json_body
from iflow_cli_proxy.server.json_answer import json_answer
from iflow_cli_proxy.server.keys import EXCHANGE, STATE


async def list_models(request: web.Request) -> web.Response:
    codec = CODECS[request[EXCHANGE].protocol]
    return json_answer(codec.model_page(list(_rows(request)), request.query))


async def list_vision_models(request: web.Request) -> web.Response:
    """Those that take images themselves."""
    codec = CODECS[request[EXCHANGE].protocol]
    return json_answer(codec.model_page([row for row in _rows(request) if row.has_vision], request.query))


async def get_model(request: web.Request) -> web.Response:
    """Any name that can be asked for, listed or not: `provider/model`, an alias, a model with a wish."""
    return _shown(request, request.match_info["id"])


async def show_ollama_model(request: web.Request) -> web.Response:
    """The same for Ollama's clients, which name it in a body."""
    data = await read_json_body(request, request.app[STATE].settings.current.server)
    try:
        body = read_object(data)
    except jsonx.JsonError as error:
        raise invalid(error, data) from error
    asked = body.get("model") or body.get("name")
    if not isinstance(asked, str) or not asked:
        raise InvalidRequest("`model` is missing.", param="model")
    return _shown(request, asked)


async def list_loaded_models(request: web.Request) -> web.Response:
    return json_answer(ollama_models.running_body(_rows(request)))


async def tell_ollama_version(request: web.Request) -> web.Response:
    return json_answer(ollama_models.version_body())


async def refuse_method(request: web.Request) -> web.Response:
    """Raises NotFound, as Google does for a model that cannot do what it is asked."""
    raise NotFound(
        f"No model here supports {request.match_info['method']}.", hint="ask for generateContent or countTokens"
    )


def _shown(request: web.Request, asked: str) -> web.Response:
    found = describe(asked, _table(request))
    if found is None or not _may_use(request, asked, found):
        raise UnknownModel(
            "This model is not listed here.", hint="see GET /v1/models or run `iflow2api models`", param="model"
        )
    shown = found.model.id if found.model.id.lower() == asked.lower() else asked
    return json_answer(CODECS[request[EXCHANGE].protocol].model_object(_row(shown, found)))


def _table(request: web.Request) -> RoutingTable:
    return request.app[STATE].gateway.current.table


def _may_use(request: web.Request, shown: str, found: Described) -> bool:
    return allows_model(request[EXCHANGE].caller.key, shown, f"{found.provider}/{found.model.id}")


def _rows(request: web.Request) -> Iterator[ModelRow]:
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


def _row(shown: str, found: Described) -> ModelRow:
    model = found.model
    return ModelRow(
        id=shown,
        created=model.created,
        owned_by=model.owned_by,
        input_tokens=model.context_tokens,
        output_tokens=model.output_tokens,
        has_vision=model.has_vision is True,
        can_think=model.thinking != "no",
        provider=found.provider,
        thinking=model.thinking,
    )
