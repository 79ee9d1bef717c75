"""Ollama's own Python client against what the Ollama codec writes, over a real socket.

Left out where it is not installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.assemble import assemble
from iflow_cli_proxy.core.errors import GatewayError, RateLimited
from iflow_cli_proxy.core.events import (
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    PartEnded,
    PartKind,
    PartStarted,
    Reply,
    Started,
    StopReason,
    UsageReported,
    failed,
)
from iflow_cli_proxy.core.request import ChatRequest, Image, Role, ToolResult
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Inbound
from iflow_cli_proxy.protocols.listing import ModelRow
from iflow_cli_proxy.protocols.ollama import CODEC
from iflow_cli_proxy.protocols.ollama.loading import answer_to_load
from iflow_cli_proxy.protocols.ollama.model_list import running_body, show_body, tags_body

ollama = pytest.importorskip("ollama")

ROW: Final = ModelRow("glm-5", created=1_795_132_800, input_tokens=200_000, can_think=True)
PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
EVENTS: Final[list[Event]] = [
    Started(id="r", model="glm-5"),
    PartStarted(part=0, kind=PartKind.REASONING),
    Delta(part=0, text="hm"),
    PartEnded(part=0),
    PartStarted(part=1, kind=PartKind.TEXT),
    Delta(part=1, text="Let me "),
    Delta(part=1, text="look."),
    PartEnded(part=1),
    PartStarted(part=2, kind=PartKind.TOOL_CALL, id="call_a", name="get_weather"),
    Delta(part=2, text='{"city":"Rome"}'),
    PartEnded(part=2),
    ChoiceEnded(reason=StopReason.TOOL_USE),
    UsageReported(usage=Usage(prompt=7, completion=5)),
    Ended(),
]
HELLO: Final = [{"role": "user", "content": "hi"}]


@asynccontextmanager
async def client(answer: list[Event] | GatewayError, asked: list[ChatRequest] | None = None) -> AsyncIterator[Any]:
    """The client, before a server that speaks through the codec alone."""

    async def generate(request: web.Request) -> web.StreamResponse:
        inbound = Inbound(protocol=CODEC.name, body=await request.read(), path=request.match_info)
        envelope = CODEC.read_envelope(inbound)
        if (loaded := answer_to_load(envelope, 1_795_132_800)) is not None:
            return web.Response(body=loaded, content_type="application/json")
        if asked is not None:
            asked.append(CODEC.decode_request(envelope))
        if isinstance(answer, GatewayError):
            error = CODEC.encode_error(answer, "req_1")
            return web.Response(status=error.status, body=error.body, content_type="application/json")
        options = EncodeOptions(id="x", created=1_795_132_800, asked=envelope.values, elapsed_s=lambda: 1.0)
        voice = CODEC.voice(envelope)
        if envelope.is_stream:
            wire = voice.ping * 2 + b"".join(run(voice.stream_encoder(options), answer))
            return web.Response(body=wire, content_type=voice.stream_type)
        reply = assemble(answer)
        assert isinstance(reply, Reply)
        return web.Response(body=voice.encode_reply(reply, options), content_type="application/json")

    async def describe(request: web.Request) -> web.Response:
        bodies = {"tags": tags_body([ROW]), "ps": running_body([ROW]), "show": show_body(ROW)}
        return web.Response(body=jsonx.encode(bodies[request.path.rpartition("/")[2]]), content_type="application/json")

    app = web.Application()
    for route in CODEC.routes:
        app.router.add_route(route.method, route.path, generate)
    app.router.add_get("/api/tags", describe)
    app.router.add_get("/api/ps", describe)
    app.router.add_post("/api/show", describe)
    async with TestServer(app) as server:
        one = ollama.AsyncClient(host=str(server.make_url("/")))
        try:
            yield one
        finally:
            await one._client.aclose()


async def test_a_chat_in_pieces_is_understood() -> None:
    async with client(EVENTS) as one:
        chunks = [chunk async for chunk in await one.chat("glm-5", HELLO, stream=True)]

    assert "".join(chunk.message.thinking or "" for chunk in chunks) == "hm"
    assert "".join(chunk.message.content for chunk in chunks) == "Let me look."
    (call,) = [call for chunk in chunks for call in chunk.message.tool_calls or ()]
    assert (call.function.name, call.function.arguments) == ("get_weather", {"city": "Rome"})
    assert [chunk.done for chunk in chunks].count(True) == 1
    assert (chunks[-1].done_reason, chunks[-1].prompt_eval_count, chunks[-1].eval_count) == ("stop", 7, 5)
    assert chunks[-1].total_duration == 1_000_000_000


async def test_a_chat_in_one_piece_is_understood() -> None:
    async with client(EVENTS) as one:
        answer = await one.chat("glm-5", HELLO)

    assert (answer.message.content, answer.message.thinking) == ("Let me look.", "hm")
    assert answer.created_at == "2026-11-20T00:00:00Z"


async def test_tools_pictures_and_results_arrive() -> None:
    asked: list[ChatRequest] = []

    def get_weather(city: str) -> str:
        """Weather of a city.

        Args:
            city: its name
        """
        return city

    async with client(EVENTS, asked) as one:
        answer = await one.chat("glm-5", HELLO, tools=[get_weather], think="low", format="json", options={"seed": 1})
        history = [
            {"role": "user", "content": "look", "images": [PNG]},
            answer.message,
            {"role": "tool", "content": "sunny", "tool_name": "get_weather"},
        ]
        await one.chat("glm-5", history)

    first, second = asked
    assert first.tools[0].name == "get_weather"
    assert first.tools[0].parameters is not None
    assert first.tools[0].parameters["properties"]["city"]["type"] == "string"
    assert (first.thinking.effort, first.sampling.seed) == ("low", 1)
    assert first.response_format == {"type": "json_object"}
    assert second.messages[0].parts[1] == Image(data=PNG, media_type="image/png")
    (result,) = second.messages[2].parts
    assert isinstance(result, ToolResult)
    assert result.call_id in {getattr(part, "id", "") for part in second.messages[1].parts}
    assert second.messages[2].role is Role.TOOL


async def test_a_bare_generation_is_understood() -> None:
    async with client(EVENTS) as one:
        whole = await one.generate("glm-5", "hi", system="be")
        pieces = [piece async for piece in await one.generate("glm-5", "hi", stream=True)]

    assert whole.response == "".join(piece.response for piece in pieces) == "Let me look."


async def test_a_model_is_loaded_without_a_question() -> None:
    async with client(RateLimited("No.")) as one:
        assert (await one.generate("glm-5")).done_reason == "load"
        assert (await one.chat("glm-5")).done_reason == "load"
        assert (await one.generate("glm-5", keep_alive=0)).done_reason == "unload"


async def test_errors_become_the_clients_own() -> None:
    async with client(RateLimited("Slow down.")) as one:
        with pytest.raises(ollama.ResponseError) as caught:
            await one.chat("glm-5", HELLO)

    assert (caught.value.error, caught.value.status_code) == ("Slow down.", 429)


async def test_an_error_in_a_stream_is_raised() -> None:
    async with client([*EVENTS[:3], failed(RateLimited("Slow down."))]) as one:
        with pytest.raises(ollama.ResponseError, match="Slow down"):
            async for _ in await one.chat("glm-5", HELLO, stream=True):
                pass


async def test_models_are_listed_and_shown() -> None:
    async with client(EVENTS) as one:
        listed, running, shown = await one.list(), await one.ps(), await one.show("glm-5")

    assert listed.models[0].model == running.models[0].model == "glm-5"
    assert listed.models[0].modified_at.year == 2026
    assert shown.capabilities == ["completion", "tools", "thinking"]
    assert shown.modelinfo["gateway.context_length"] == 200_000
