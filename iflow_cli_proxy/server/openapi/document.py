"""The whole OpenAPI document, made of the data files; built when somebody asks for it, and then kept."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Any, Final

from iflow_cli_proxy import __version__
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.admin.pages import PageFile
from iflow_cli_proxy.server.openapi.admin_failures import AdminFailures
from iflow_cli_proxy.server.openapi.failures import Failures, Shelf
from iflow_cli_proxy.server.openapi.operations import Writer
from iflow_cli_proxy.server.openapi.schemas import all_schemas

ADMIN: Final = "admin"
FILES: Final = ("openai", "responses", "anthropic", "gemini", "ollama", "gateway", ADMIN)
"""In the order in which they are shown."""
_DESCRIPTION: Final = (
    "One endpoint for the models and accounts you have, in the protocol your tool speaks. Errors come in that "
    "protocol, too. Every answer carries `x-request-id`; `GET` also answers `HEAD`; another method gets 405 and "
    "`Allow`. Unknown fields of a request are passed on or ignored, and answers may hold more fields than are named "
    "here. Limits that an upstream tells in `x-ratelimit-*` headers are passed on."
)


@cache
def document() -> PageFile:
    """As it goes out. Built once for each process, which takes some 30 ms."""
    body = jsonx.encode(build())
    return PageFile(body, "application/json", f'"{sha256(body).hexdigest()[:32]}"')


def build() -> dict[str, Json]:
    files = {name: read(name) for name in FILES}
    shelf = Shelf()
    failures = Failures(read("failures"), shelf)
    of_admin = AdminFailures(read("admin_failures"), failures, shelf)
    recorded = read("answers")
    paths: dict[str, dict[str, Json]] = {}
    for name, file in files.items():
        access = file.get("access", "key")
        writer = Writer(
            file["tag"]["name"], file["protocol"], of_admin if name == ADMIN else failures, recorded, access
        )
        for line, entry in file["operations"].items():
            for path, method, operation in writer.write(line, entry):
                paths.setdefault(path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "iflow2api",
            "version": __version__,
            "summary": "A self-hosted LLM gateway",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This gateway"}],
        "tags": [file["tag"] for file in files.values()],
        "paths": paths,
        "components": {
            "securitySchemes": read("security"),
            "headers": read("headers"),
            "responses": _used(shelf.found, paths),
            "schemas": all_schemas(file["schemas"] for file in files.values()),
        },
    }


def _used(responses: dict[str, Json], paths: Json) -> dict[str, Json]:
    """Without those that every endpoint has made its own, with an example in it."""
    text = jsonx.encode(paths)
    return {name: one for name, one in responses.items() if f'"#/components/responses/{name}"'.encode() in text}


def read(name: str) -> dict[str, Any]:
    """One of the data files."""
    file = resources.files("iflow_cli_proxy.server.openapi") / "data" / f"{name}.json"
    found: dict[str, Any] = jsonx.decode(file.read_bytes())
    return found
