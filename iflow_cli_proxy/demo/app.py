"""The demo upstream as a web application: iFlow's two paths.

Knows HTTP; what is said is decided next door, and `run.py` puts it on a socket. Refuses to know the gateway, for which
this is an upstream like any other.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.demo import auth, faults, wire
from iflow_cli_proxy.demo.answers import answer
from iflow_cli_proxy.demo.faults import (
    BUSINESS,
    FOR_JSON,
    STREAMS,
    WISHES,
    Fault,
    Happening,
    Pause,
    Plain,
    Step,
    http_error,
)
from iflow_cli_proxy.demo.question import Question, read_question
from iflow_cli_proxy.providers.iflow.catalog import load_catalog

_CREATED: Final = 1_760_000_000
_STREAM_TYPE: Final = "text/event-stream;charset=UTF-8"
_LARGEST_BODY: Final = 64 * 1024 * 1024
_REMEMBERED: Final = 200


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]
    """Lower-case names."""
    body: Json


class DemoApp:
    """What is behind the two paths. `keys` may be changed while it runs; `seen` holds the latest requests."""

    def __init__(self, keys: auth.Keys, *, delay_s: float = 0.0, seed: int = 0, one_at_a_time: bool = False) -> None:
        self.keys = keys
        self.seen: deque[Seen] = deque(maxlen=_REMEMBERED)
        self.left_early = 0
        """Answers whose client went away before their end."""
        self._delay_s = delay_s
        self._seed = seed
        self._one_at_a_time = one_at_a_time
        self._catalog = load_catalog()
        self._failed: Counter[str] = Counter()
        self._answered = 0
        self._closing = asyncio.Event()

    def build(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        return app

    def release(self) -> None:
        """End the answers that hang on purpose."""
        self._closing.set()

    async def _models(self, request: web.Request) -> web.StreamResponse:
        self._remember(request, None)
        refusal = auth.refuse(request.headers, self.keys)
        if refusal is not None:
            return _plain(refusal)
        rows = [
            {"id": model.id, "object": "model", "created": model.created, "owned_by": model.owned_by}
            for model in self._catalog.listed()
        ]
        return _plain(Plain(body=jsonx.encode({"object": "list", "data": rows})))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        try:
            body = jsonx.decode_strict(await request.read())
        except jsonx.JsonError:
            return _plain(http_error(400, "Bad request!: the body is not JSON"))
        self._remember(request, body)
        if not isinstance(body, dict) or not isinstance(body.get("model"), str):
            return _plain(http_error(400, "Bad request!: no model"))
        fault, name = faults.find_fault(request.headers.get(faults.HEADER, ""), body["model"])
        key = auth.bearer(request.headers)
        refusal = auth.refuse(request.headers, self.keys, name)
        if refusal is not None:
            return _plain(refusal)
        if self._one_at_a_time and key in self.keys.busy:
            return _plain(auth.too_many())
        self.keys.busy.add(key)
        try:
            return await self._answer(request, body, name, self._still_due(fault))
        finally:
            self.keys.busy.discard(key)

    async def _answer(
        self, request: web.Request, body: dict[str, Any], name: str, fault: Fault | None
    ) -> web.StreamResponse:
        plain = faults.plain_answer(fault) if fault else None
        if plain is not None:
            return _plain(plain)
        model = self._catalog.find(name or "glm-4.7")
        if model is None:
            return _plain(BUSINESS["435"])
        if not isinstance(body.get("messages"), list) or not body["messages"]:
            return _plain(http_error(400, "Bad request!: messages must not be empty"))
        question = read_question(body, model)
        wishes = fault.name if fault and fault.name in (*WISHES, "network_error") else ""
        if question.is_stream and wishes != "json_for_stream":
            return await self._play(request, self._stream_steps(question, fault, wishes), _STREAM_TYPE)
        whole = jsonx.encode(wire.completion(question, self._answers(question), **self._identity(), wishes=wishes))
        if fault and fault.name in FOR_JSON:
            return await self._play(request, STREAMS[fault.name]([whole]), "application/json")
        return _plain(Plain(body=whole))

    def _stream_steps(self, question: Question, fault: Fault | None, wishes: str) -> Iterator[Step]:
        frames = wire.frames(question, self._answers(question), **self._identity(), wishes=wishes)
        if fault and fault.name in STREAMS:
            return STREAMS[fault.name](list(frames))
        return self._paced(frames)

    def _paced(self, frames: Iterable[bytes]) -> Iterator[Step]:
        for frame in frames:
            yield frame
            if self._delay_s:
                yield Pause(self._delay_s)

    def _answers(self, question: Question) -> list[Any]:
        return [answer(question, seed=self._seed, index=index) for index in range(question.choices)]

    def _identity(self) -> dict[str, Any]:
        self._answered += 1
        return {"id": f"chatcmpl-demo-{self._seed}-{self._answered}", "created": _CREATED + self._answered}

    def _still_due(self, fault: Fault | None) -> Fault | None:
        """A fault that was asked for a number of times ends after them."""
        if fault is None or not fault.times:
            return fault
        self._failed[fault.name] += 1
        return fault if self._failed[fault.name] <= fault.times else None

    async def _play(self, request: web.Request, steps: Iterator[Step], content_type: str) -> web.StreamResponse:
        """Do what the steps say. The head goes out with the first of them that has something to send."""
        response = web.StreamResponse(headers=_headers(content_type))
        try:
            for step in steps:
                if step is Happening.HANG:
                    await self._closing.wait()
                if isinstance(step, Happening):
                    _hang_up(request, is_reset=step is Happening.RESET)
                    return response
                if not response.prepared:
                    await response.prepare(request)
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                elif step:
                    await response.write(step)
            await response.write_eof()
        except (asyncio.CancelledError, ConnectionError):
            self.left_early += 1
            raise
        return response

    def _remember(self, request: web.Request, body: Json) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(path=request.path, headers=headers, body=body))


def _plain(plain: Plain) -> web.Response:
    headers = {**plain.headers, **_headers(plain.content_type)}
    return web.Response(status=plain.status, body=plain.body, headers=headers)


def _headers(content_type: str) -> dict[str, str]:
    return {"Content-Type": content_type, "eagleeye-traceid": "0000000000000000demo"}


def _hang_up(request: web.Request, *, is_reset: bool) -> None:
    """End the connection without ending the answer."""
    transport = request.transport
    if transport is None:
        return
    if is_reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
