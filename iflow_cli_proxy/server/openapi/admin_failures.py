"""How the admin page is told that something went wrong: one shape for all of it, and statuses by what a call shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.admin.answers import error_document
from iflow_cli_proxy.server.openapi.failures import Shelf, error_schema, other_refusals, with_headers

SHAPE: Final = "Admin"
PROMPT: Final = "prompt"
_ALWAYS: Final = ("400", "403", "404", "421", "500")
_SIGNED_IN: Final = ("401",)
_BODY: Final = ("408", "413", "415")
_PROMPT: Final = ("429", "502", "503", "504")


@dataclass(frozen=True)
class AdminFailures:
    """Words and their meanings by status, from the data file."""

    meanings: Mapping[str, Mapping[str, str]]
    shelf: Shelf

    def responses(self, protocol: str, group: str, *, is_open: bool, has_body: bool) -> dict[str, Json]:
        """By status. `group` lists the statuses of this call alone, with blanks between them."""
        own = _PROMPT if group == PROMPT else group.split()
        statuses = {*_ALWAYS, *own, *(() if is_open else _SIGNED_IN), *(_BODY if has_body else ())}
        found = {status: self.shelf.put(f"{SHAPE}_{status}", self._response(status)) for status in sorted(statuses)}
        return found | {"4XX": self.shelf.put(f"{SHAPE}_4XX", other_refusals(SHAPE))}

    def _response(self, status: str) -> Json:
        return {
            "description": "\n".join([f"{HTTPStatus(int(status)).phrase}.", "", *self._lines(status)]),
            "headers": with_headers(SHAPE, int(status)),
            "content": {
                "application/json": {
                    "schema": error_schema(SHAPE, int(status)),
                    "examples": {word: {"value": _body(word, told)} for word, told in self.meanings[status].items()},
                }
            },
        }

    def _lines(self, status: str) -> Iterator[str]:
        return (f"- `{word}`: {told}" for word, told in self.meanings[status].items())


def _body(word: str, meaning: str) -> Json:
    error = GatewayError(f"{meaning[0].upper()}{meaning[1:]}.", code=word)
    return {"error": error_document(error)}
