"""One entry of a data file as an operation of OpenAPI: what it takes, what it answers, and examples of both.

An entry stands under its method and path, such as `POST /v1/messages`, and has

- `id`, `summary`, `description`; `also`, other paths that are the same;
- `access`: `key`, `open` or `session`, and `protocol`, where they are not the file's;
- `params`: what stands in path, query or headers; `body`: a schema, or `{"schema", "optional"}`;
- `answer`: the schema of status 200, or schemas by media type; `answers`: other statuses; `headers`: of all;
- `stream`: `{"type", "event", "end"}`, the schema of one event; `fails`: a group of `failures.py`, or statuses
  of the admin page;
- `examples`: requests by name, each with the status it gets. With `where: keys` client keys are required; `after`
  says which example comes before, and where in its answer a part of the path stands. The answers to them were
  recorded from a running gateway.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.openapi.admin_failures import PROMPT, AdminFailures
from iflow_cli_proxy.server.openapi.failures import Failures
from iflow_cli_proxy.server.openapi.schemas import REFERENCE, spelled_out

Entry: TypeAlias = Mapping[str, Any]

_JSON: Final = "application/json"
_PATH_PARAM: Final = re.compile(r"\{(\w+)\}")
_WITH_BODY: Final = ("POST", "PUT", "PATCH")
_OF_PROMPTS: Final = (
    "x-iflow2api-account", "x-iflow2api-route", "x-iflow2api-attempts", "x-iflow2api-overhead-ms", "x-iflow2api-notes",
    "x-iflow2api-repaired", "x-iflow2api-compressed", "x-iflow2api-described",
)  # fmt: skip

_KEYS: Final[tuple[Json, ...]] = ({"bearer": []}, {"xApiKey": []}, {"xGoogApiKey": []})
_NONE_NEEDED: Final[dict[str, Json]] = {}


@dataclass(frozen=True)
class Writer:
    """Writes the operations of one data file."""

    tag: str
    protocol: str
    failures: Failures | AdminFailures
    recorded: Mapping[str, Json]
    """Answers to examples, by `<operation>.<example>`."""
    access: str = "key"
    """Of entries that do not say."""

    def write(self, line: str, entry: Entry) -> Iterator[tuple[str, str, Json]]:
        """Path, method and operation of the entry, and of every other path that is the same."""
        method, path = line.split(" ", 1)
        yield path, method.lower(), self._operation(method, path, entry)
        for number, other in enumerate(entry.get("also", ()), 1):
            same = self._operation(method, other, {**entry, "examples": {}})
            same |= {"operationId": f"{entry['id']}_{number}", "summary": f"The same as {line}", "x-same-as": line}
            yield other, method.lower(), same

    def _operation(self, method: str, path: str, entry: Entry) -> dict[str, Json]:
        operation: dict[str, Json] = {
            "operationId": entry["id"],
            "tags": [self.tag],
            "summary": entry["summary"],
            "security": _security(method, self._access(entry), self._protocol(entry)),
        }
        if "description" in entry:
            operation["description"] = entry["description"]
        if params := _parameters(path, entry.get("params", {})):
            operation["parameters"] = params
        examples = entry.get("examples", {})
        if (body := self._body_of(method, entry)) is not None:
            operation["requestBody"] = _body(body, examples)
        operation["responses"] = self._responses(method, entry)
        if examples:
            operation["x-examples"] = [self._example(entry["id"], name, one) for name, one in examples.items()]
        return operation

    def _body_of(self, method: str, entry: Entry) -> Json:
        """Whatever changes something on the admin page is called JSON, if there is nothing in it, too."""
        is_bare = method == "DELETE" and self._access(entry) == "session"
        return entry.get("body", {"schema": "Nothing", "optional": True} if is_bare else None)

    def _access(self, entry: Entry) -> str:
        return str(entry.get("access", self.access))

    def _protocol(self, entry: Entry) -> str:
        return str(entry.get("protocol", self.protocol))

    # --- answers --------------------------------------------------------------------------------------------------

    def _responses(self, method: str, entry: Entry) -> dict[str, Json]:
        found: dict[str, Json] = {}
        if "answer" in entry or "stream" in entry:
            found["200"] = self._success(entry)
        for status, told in entry.get("answers", {}).items():
            found[status] = _told(told, entry.get("headers", ()))
        for status, response in self._failing(method, entry).items():
            found.setdefault(status, response)
        for name, example in entry.get("examples", {}).items():
            self._show(found, entry["id"], name, example)
        return dict(sorted(found.items()))

    def _success(self, entry: Entry) -> Json:
        answer = entry.get("answer")
        content = {_JSON: {"schema": _schema(answer)}} if answer is not None else {}
        if isinstance(answer, dict) and all("/" in name for name in answer):
            content = {kind: {"schema": _schema(schema)} for kind, schema in answer.items()}
        if stream := entry.get("stream"):
            content[stream["type"]] = _stream(stream)
        names = [*entry.get("headers", ()), *(_OF_PROMPTS if entry.get("fails") == PROMPT else ())]
        return {"description": entry.get("gives", "As asked."), "headers": _headers(names), "content": content}

    def _failing(self, method: str, entry: Entry) -> dict[str, Json]:
        return self.failures.responses(
            self._protocol(entry),
            entry.get("fails", ""),
            is_open=self._access(entry) == "open",
            has_body=method in _WITH_BODY or self._body_of(method, entry) is not None,
        )

    # --- examples -------------------------------------------------------------------------------------------------

    def _example(self, operation: str, name: str, example: Entry) -> Json:
        """What a request is made of besides its body, which stands in `requestBody` under the same name."""
        told = {
            key: example[key]
            for key in ("summary", "path", "query", "headers", "where", "after", "record")
            if key in example
        }
        return {"name": name, **told, "status": example.get("status", 200)}

    def _show(self, responses: dict[str, Json], operation: str, name: str, example: Entry) -> None:
        """Put the recorded answer where it belongs; a shared response becomes this operation's own with it."""
        recorded = self.recorded.get(f"{operation}.{name}")
        if recorded is None:
            return
        status = str(example.get("status", 200))
        found = responses[status]
        if "$ref" in found:
            found = self.failures.shelf.get(found)
        kind = recorded["type"]
        media = found["content"].get(kind, {})
        shown = {**media.get("examples", {}), name: {"value": recorded["body"]}}
        responses[status] = {**found, "content": {**found["content"], kind: {**media, "examples": shown}}}


def _schema(written: Json) -> Json:
    return {"$ref": REFERENCE + written} if isinstance(written, str) else spelled_out(written)


def _stream(stream: Entry) -> Json:
    """What one event holds, as `itemSchema` of OpenAPI 3.2 tells it; 3.1 has no word for streams."""
    media: dict[str, Json] = {"x-item-schema": _schema(stream["event"])}
    return {**media, "x-end": stream["end"]} if "end" in stream else media


def _told(told: Entry, headers: Iterable[str]) -> Json:
    response: dict[str, Json] = {"description": told["description"], "headers": _headers(headers)}
    content = told.get("content", {_JSON: told["schema"]} if "schema" in told else {})
    if content:
        response["content"] = {kind: {"schema": _schema(schema)} for kind, schema in content.items()}
    return response


def _headers(names: Iterable[str]) -> dict[str, Json]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", *names)}


def _parameters(path: str, params: Mapping[str, Entry]) -> list[Json]:
    inside = _PATH_PARAM.findall(path)
    assert set(inside) == {name for name, one in params.items() if one["in"] == "path"}, path
    return [
        {"name": name, **one, "schema": spelled_out(one["schema"]), **({"required": True} if name in inside else {})}
        for name, one in params.items()
    ]


def _body(body: Json, examples: Mapping[str, Entry]) -> Json:
    is_wrapped = isinstance(body, dict) and "schema" in body
    media: dict[str, Json] = {"schema": _schema(body["schema"] if is_wrapped else body)}
    shown = {
        name: {**({"summary": one["summary"]} if "summary" in one else {}), "value": one["body"]}
        for name, one in examples.items()
        if "body" in one
    }
    if shown:
        media["examples"] = shown
    is_required = not (is_wrapped and body.get("optional"))
    return {"required": is_required, "content": {_JSON: media}}


def _security(method: str, access: str, protocol: str) -> list[Json]:
    """Alternatives; the empty one is a gateway on loopback, which asks for no key unless told to."""
    match access:
        case "open":
            return []
        case "session":
            return [{"adminSession": []}] if method == "GET" else [{"adminSession": [], "csrfToken": []}]
        case _:
            in_query: tuple[Json, ...] = ({"keyInQuery": []},) if protocol == "gemini" else ()
            return [*_KEYS, *in_query, _NONE_NEEDED]
