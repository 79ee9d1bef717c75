"""How the admin page is told that something went wrong: one shape for all of it, and statuses by what a call shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.admin.answers import error_document
from iflow_cli_proxy.server.openapi.failures import Failures, Shelf, error_schema, other_refusals, with_headers

SHAPE: Final = "Admin"
PROMPT: Final = "prompt"
_ALWAYS: Final = ("400", "403", "404", "421", "500")
_SIGNED_IN: Final = ("401",)
_ASKED_IN: Final = "openai_chat"
_BODY: Final = ("408", "413", "415")


@dataclass(frozen=True)
class AdminFailures:
    """Words and their meanings by status, from the data file."""

    meanings: Mapping[str, Mapping[str, str]]
    prompts: Failures
    """A prompt of the page is answered as a client's is, errors included."""
    shelf: Shelf

    def responses(self, protocol: str, group: str, *, is_open: bool, has_body: bool) -> dict[str, Json]:
        """By status. `group` lists the statuses of this call alone, with blanks between them."""
        own = () if group == PROMPT else group.split()
        statuses = {*_ALWAYS, *own, *(() if is_open else _SIGNED_IN), *(_BODY if has_body else ())}
        found = {status: self.shelf.put(f"{SHAPE}_{status}", self._response(status)) for status in sorted(statuses)}
        found["4XX"] = self.shelf.put(f"{SHAPE}_4XX", other_refusals(SHAPE))
        return self._with_prompts(found) if group == PROMPT else found

    def _with_prompts(self, found: Mapping[str, Json]) -> dict[str, Json]:
        prompts = self.prompts.responses(_ASKED_IN, PROMPT, is_open=False, has_body=True)
        both = {
            status: self.shelf.put(
                f"{SHAPE}_{status}_prompt", _either(self.shelf.get(found[status]), self.shelf.get(told))
            )
            for status, told in prompts.items()
            if status in found
        }
        return {**found, **prompts, **both}

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


def _either(ours: Json, prompts: Json) -> Json:
    """What refuses the call, or the prompt that it brings."""
    media = [one["content"]["application/json"] for one in (ours, prompts)]
    schemas = [one for each in media for one in each["schema"].get("anyOf", [each["schema"]])]
    distinct = [one for at, one in enumerate(schemas) if one not in schemas[:at]]
    examples = {name: one for each in media for name, one in each.get("examples", {}).items()}
    return {
        "description": f"{ours['description']}\n\n{prompts['description']}",
        "headers": {**ours["headers"], **prompts["headers"]},
        "content": {"application/json": {"schema": {"anyOf": distinct}, "examples": examples}},
    }


def _body(word: str, meaning: str) -> Json:
    error = GatewayError(f"{meaning[0].upper()}{meaning[1:]}.", code=word)
    return {"error": error_document(error)}
