"""The gateway as its own OpenAPI document describes it: every example as a request, and what is wrong with an answer.

`openapi_3_1.json` is the OpenAPI Initiative's schema of such documents, of 2022-10-07
(spec.openapis.org/oas/3.1/schema).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote, urlencode

import aiohttp
from jsonschema import Draft202012Validator

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.server.openapi.document import build
from tests.support.admin import Browser, Reply

DOCUMENT: Final = build()
META_SCHEMA: Final = jsonx.decode(Path(__file__).with_name("openapi_3_1.json").read_bytes())
_TOLD: Final = ("x-request-id", "x-iflow2api-", "x-should-retry", "retry-after", "request-id", "etag")
"""Headers that begin so are ours, and have to be described."""


@dataclass(frozen=True)
class Example:
    path: str
    method: str
    operation: Mapping[str, Any]
    told: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"{self.operation['operationId']}.{self.told['name']}"

    @property
    def body(self) -> Json:
        """None where there is none."""
        media = self.operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        found = media.get("examples", {}).get(self.told["name"])
        return None if found is None else found["value"]

    def url(self, ids: Mapping[str, str]) -> str:
        """Its path and query, with these instead of the ones that are only known once another one was answered."""
        path = self.path
        for name, value in {**self.told.get("path", {}), **ids}.items():
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        query = urlencode(self.told.get("query", {}))
        return f"{path}?{query}" if query else path


Sender: TypeAlias = Callable[[str, str, Json, Mapping[str, str]], Awaitable[Reply]]
"""Sends method, path, body (None: none) and headers to a gateway."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation, one after the other."""
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def examples() -> list[Example]:
    return [
        Example(path, method, operation, told)
        for path, method, operation in operations()
        for told in operation.get("x-examples", ())
    ]


def one_of(id: str) -> Example:
    """By `<operation>.<example>`."""
    [found] = [one for one in examples() if one.id == id]
    return found


async def ask(sender: Sender, example: Example) -> Reply:
    """Send it, after those that have to come before."""
    ids = {}
    for name, earlier in example.told.get("after", {}).items():
        which, _, place = earlier.partition(" ")
        value: Any = (await ask(sender, one_of(which))).json
        for step in place.split(".") if place else ():
            value = value[step]
        ids |= {name: value} if name else {}
    return await sender(example.method.upper(), example.url(ids), example.body, example.told.get("headers", {}))


async def send(session: aiohttp.ClientSession, method: str, url: str, *, body: Json = None, **more: Any) -> Reply:
    sent = {} if body is None else {"json": body}
    async with session.request(method, url, allow_redirects=False, **sent, **more) as answer:
        return Reply(
            answer.status, {name.lower(): value for name, value in answer.headers.items()}, await answer.read()
        )


def as_program(session: aiohttp.ClientSession, base: str) -> Sender:
    """By somebody who sends nothing but what the example says."""

    async def sender(method: str, url: str, body: Json, headers: Mapping[str, str]) -> Reply:
        return await send(session, method, base + url, body=body, headers=headers)

    return sender


def as_page(page: Browser) -> Sender:
    """By the admin page of somebody who is signed in."""

    async def sender(method: str, url: str, body: Json, headers: Mapping[str, str]) -> Reply:
        return await page.send(method, url, body, **headers)

    return sender


def complaints(operation: Mapping[str, Any], answer: Reply) -> list[str]:
    """Where an answer is not what the operation promises; nothing if it is."""
    told = response_of(operation, answer.status)
    if told is None:
        return [f"status {answer.status} is not described; it says {answer.body[:300]!r}"]
    found = [
        f"the header {name} is not described at {answer.status}"
        for name in answer.headers
        if name.startswith(_TOLD) and name not in told.get("headers", {})
    ]
    content = told.get("content", {})
    if not content and not answer.body:
        return found
    media = content.get(answer.type)
    if media is None:
        return [*found, f"{answer.type} is not described at {answer.status}, only {', '.join(content)}"]
    return [*found, *_of_body(media, answer)]


def response_of(operation: Mapping[str, Any], status: int) -> dict[str, Any] | None:
    """By the status itself, else by its range."""
    responses = operation["responses"]
    told = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    return None if told is None else resolved(told)


def resolved(value: Any) -> Any:
    """What a reference names."""
    while "$ref" in value:
        place: Any = DOCUMENT
        for name in value["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        value = place
    return value


def faults(schema: Json, value: Json) -> list[str]:
    """What is wrong with a value by a schema of the document."""
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]


def events_of(answer: Reply) -> list[bytes]:
    """The data of each event of a stream, end marks included."""
    if answer.type == "application/x-ndjson":
        return answer.body.splitlines()
    lines = answer.body.splitlines()
    return [line.removeprefix(b"data:").strip() for line in lines if line.startswith(b"data:")]


def _of_body(media: Mapping[str, Any], answer: Reply) -> list[str]:
    if "x-item-schema" not in media:
        value = jsonx.decode(answer.body) if answer.type.endswith("json") else answer.body.decode()
        return faults(media["schema"], value)
    events = events_of(answer)
    if not events:
        return ["the stream has no events"]
    if end := media.get("x-end"):
        if events[-1] != end.encode():
            return [f"the stream ends in {events[-1]!r}"]
        events.pop()
    return [fault for event in events for fault in faults(media["x-item-schema"], jsonx.decode(event))]
