"""Our own answers in JSON, those of no protocol. What every answer's head says is added when it goes out."""

from __future__ import annotations

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json


def json_answer(value: Json, status: int = 200) -> web.Response:
    return web.Response(body=jsonx.encode(value), content_type="application/json", status=status)
