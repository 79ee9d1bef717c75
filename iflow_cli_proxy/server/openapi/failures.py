"""How each protocol says that something went wrong: with which statuses and words. The codecs themselves are asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, of_kind
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.server.openapi.schemas import REFERENCE

SHAPES: Final[Mapping[str, str]] = {
    "openai_chat": "OpenAI",
    "openai_responses": "OpenAI",
    "openai_completions": "OpenAI",
    "openai_embeddings": "OpenAI",
    "anthropic": "Anthropic",
    "gemini": "Gemini",
    "ollama": "Ollama",
}
"""Whose error object each protocol uses; its schema is `<shape>Error`."""

_DOOR: Final = frozenset({"method_not_allowed", "expectation_failed", "not_found"})
"""Told of an endpoint by the range 4XX, but for those that look something up."""
_ELSEWHERE: Final = frozenset({"config", "state"})
"""Kinds that stop a command or a start, and never reach a client."""
_OPEN: Final = frozenset({"internal", "invalid_request"})
_HERE: Final = _OPEN | {"unauthenticated", "forbidden", "rate_limited", "quota_exhausted"}
_BODY: Final = frozenset({"too_large", "unsupported_media", "client_too_slow", "busy", "draining"})
GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset(),
    "not_found": frozenset({"not_found"}),
    "model": frozenset({"unknown_model"}),
}
"""What an endpoint may refuse besides what every one does; for `prompt` it is everything that is left."""

_RETRY_AFTER: Final = (429, 503)
_SAMPLE_WAIT_S: Final = 7.0
_SAMPLE_PATH: Final = "messages[0].role"
_SAMPLE_ID: Final = "req_0fcf11eb2a2211bf7f73b76c"


@dataclass
class Shelf:
    """Responses that several endpoints share, each under a name of its own."""

    found: dict[str, Json] = field(default_factory=dict)

    def put(self, name: str, response: Json) -> Json:
        """A reference to `response`; another one of the same name gets a number."""
        for number in count(1):
            numbered = name if number == 1 else f"{name}_{number}"
            if self.found.setdefault(numbered, response) == response:
                return {"$ref": f"#/components/responses/{numbered}"}
        raise AssertionError("count() does not end")

    def get(self, reference: Json) -> Json:
        """What `put` gave a reference to."""
        return self.found[reference["$ref"].rpartition("/")[2]]


@dataclass(frozen=True)
class Failures:
    """The kinds of failure and their meanings, from the data file."""

    meanings: Mapping[str, str]
    shelf: Shelf

    def responses(self, protocol: str, group: str, *, is_open: bool, has_body: bool) -> dict[str, Json]:
        """By status, what an endpoint of this group may answer instead of what it was asked for."""
        shape, codec = SHAPES[protocol], CODECS[protocol]
        by_status: dict[int, list[str]] = {}
        for kind in sorted(self._kinds(group, is_open=is_open, has_body=has_body)):
            by_status.setdefault(codec.encode_error(self._sample(kind), "").status, []).append(kind)
        found = {
            str(status): self.shelf.put(f"{shape}_{status}", self._response(protocol, status, kinds))
            for status, kinds in sorted(by_status.items())
        }
        return found | {"4XX": self.shelf.put(f"{shape}_4XX", other_refusals(shape))}

    def _kinds(self, group: str, *, is_open: bool, has_body: bool) -> frozenset[str]:
        if group == "prompt":
            return frozenset(self.meanings) - _DOOR - _ELSEWHERE
        here = _OPEN if is_open else _HERE
        return here | (_BODY if has_body else frozenset()) | GROUPS[group]

    def _response(self, protocol: str, status: int, kinds: Iterable[str]) -> Json:
        shape, codec = SHAPES[protocol], CODECS[protocol]
        title = "Overloaded" if status == 529 else HTTPStatus(status).phrase
        lines = [f"- `{kind}`: {self.meanings[kind]}" for kind in kinds]
        examples = {
            kind: {"value": jsonx.decode(codec.encode_error(self._sample(kind), _SAMPLE_ID).body)} for kind in kinds
        }
        return {
            "description": "\n".join([f"{title}.", "", *lines]),
            "headers": with_headers(shape, status),
            "content": {"application/json": {"schema": error_schema(shape, status), "examples": examples}},
        }

    def _sample(self, kind: str) -> GatewayError:
        meaning = self.meanings[kind]
        param = _SAMPLE_PATH if kind == "invalid_request" else None
        error = of_kind(kind, f"{meaning[0].upper()}{meaning[1:]}.", param=param)
        if kind in ("rate_limited", "no_account", "busy", "draining"):
            error.retry_after_s = _SAMPLE_WAIT_S
        return error


def with_headers(shape: str, status: int = 400) -> dict[str, Json]:
    """Those of an error."""
    names = ["x-request-id"]
    if status in _RETRY_AFTER:
        names.append("retry-after")
    if shape == "Anthropic":
        names.append("request-id")
    if shape in ("OpenAI", "Anthropic") and status >= 500:
        names.append("x-should-retry")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def error_schema(shape: str, status: int = 400) -> Json:
    """A head or a path that is malformed is refused, with 400, before anybody asks for the protocol."""
    schemas = [{"$ref": f"{REFERENCE}{name}Error"} for name in dict.fromkeys((shape, "OpenAI"))]
    return schemas[0] if status != HTTPStatus.BAD_REQUEST or len(schemas) == 1 else {"anyOf": schemas}


def other_refusals(shape: str) -> Json:
    """The range 4XX."""
    return {
        "description": (
            "Refused before it was read (405 another method, 414 the path, 417 `Expect`, 431 the headers), in OpenAI's "
            "shape where nothing told the protocol yet; or the upstream's own status for a request it says is wrong."
        ),
        "headers": with_headers(shape),
        "content": {"application/json": {"schema": error_schema(shape)}},
    }
