"""Google's own SDK against what the Gemini codec writes, over a real socket. Left out where it is not installed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from iflow_cli_proxy.core.errors import GatewayError, RateLimited
from iflow_cli_proxy.core.events import (
    Choice,
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    PartEnded,
    PartKind,
    PartStarted,
    Reply,
    ReplyPart,
    Sealed,
    Started,
    StopReason,
    UsageReported,
    failed,
)
from iflow_cli_proxy.core.request import ChatRequest, Reasoning, Role, Text, ToolCall, ToolResult
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Envelope, Inbound
from iflow_cli_proxy.protocols.gemini import CODEC
from iflow_cli_proxy.protocols.gemini.counting import encode_count, read_count_envelope
from iflow_cli_proxy.protocols.gemini.model_list import model_page
from iflow_cli_proxy.protocols.listing import ModelRow

genai = pytest.importorskip("google.genai")
types = pytest.importorskip("google.genai.types")

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
Answer = Callable[[Envelope], Reply | list[Event] | GatewayError]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}
EVENTS: list[Event] = [
    Started(id="r", model="glm-5"),
    PartStarted(part=0, kind=PartKind.REASONING),
    Delta(part=0, text="hm"),
    Sealed(part=0, kind="signature", value="not base64!"),
    PartEnded(part=0),
    PartStarted(part=1, kind=PartKind.TOOL_CALL, id="call_a", name="get_weather"),
    Delta(part=1, text='{"city":'),
    Delta(part=1, text='"Rome"}'),
    PartEnded(part=1),
    ChoiceEnded(reason=StopReason.TOOL_USE),
    UsageReported(usage=Usage(prompt=7, completion=5, reasoning=2)),
    Ended(),
]


@asynccontextmanager
async def client(answer: Answer, asked: list[ChatRequest] | None = None) -> AsyncIterator[Any]:
    """The SDK, before a server that speaks through the codec alone."""

    async def generate(request: web.Request) -> web.StreamResponse:
        inbound = Inbound(protocol=CODEC.name, body=await request.read(), path=request.match_info, query=request.query)
        envelope = CODEC.read_envelope(inbound)
        if asked is not None:
            asked.append(CODEC.decode_request(envelope))
        found = answer(envelope)
        options = EncodeOptions(id="x", created=1_795_132_800, model=envelope.model, asked=envelope.values)
        if isinstance(found, GatewayError):
            error = CODEC.encode_error(found, "req_1")
            return web.Response(status=error.status, body=error.body, content_type="application/json")
        if isinstance(found, Reply):
            return web.Response(body=CODEC.encode_reply(found, options), content_type="application/json")
        voice = CODEC.voice(envelope)
        wire = voice.ping + b"".join(run(voice.stream_encoder(options), found))
        return web.Response(body=wire, headers={"content-type": voice.stream_type})

    async def count(request: web.Request) -> web.Response:
        read_count_envelope(Inbound(protocol=CODEC.name, body=await request.read(), path=request.match_info))
        return web.Response(body=encode_count(42), content_type="application/json")

    async def models(request: web.Request) -> web.Response:
        return web.json_response(model_page([ModelRow(f"m{number}") for number in range(5)], request.query))

    app = web.Application()
    for route in CODEC.routes:
        app.router.add_route(route.method, route.path, generate)
    for version in ("v1", "v1beta"):  # google-genai 3 asks under v1, earlier ones and Gemini CLI under v1beta
        app.router.add_post(f"/{version}/models/{{model:.+}}:countTokens", count)
        app.router.add_get(f"/{version}/models", models)
    async with TestServer(app) as server:
        sdk = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=str(server.make_url("/"))))
        try:
            yield sdk.aio
        finally:
            await sdk.aio.aclose()
            sdk.close()


def settings(**more: Any) -> Any:
    thinking = types.ThinkingConfig(include_thoughts=True)
    off = types.AutomaticFunctionCallingConfig(disable=True)
    return types.GenerateContentConfig(thinking_config=thinking, automatic_function_calling=off, **more)


async def test_a_stream_of_thoughts_and_calls_is_understood_and_its_seal_comes_back() -> None:
    asked: list[ChatRequest] = []
    declaration = types.FunctionDeclaration(name="get_weather", parameters_json_schema=WEATHER)
    config = settings(tools=[types.Tool(function_declarations=[declaration])], system_instruction="Be brief.")
    async with client(lambda _: EVENTS, asked) as sdk:
        stream = await sdk.models.generate_content_stream(model="glm-5", contents="Rome?", config=config)
        chunks = [chunk async for chunk in stream]
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
        (call,) = [part for part in parts if part.function_call]
        result = types.Part.from_function_response(name="get_weather", response={"output": "sunny"})
        history = [
            types.Content(role="user", parts=[types.Part(text="Rome?")]),
            types.Content(role="model", parts=[call]),
            types.Content(role="user", parts=[result]),
        ]
        async for _ in await sdk.models.generate_content_stream(model="glm-5", contents=history, config=config):
            pass

    assert [part.text for part in parts if part.thought] == ["hm"]
    assert call.function_call.args == {"city": "Rome"}
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP
    assert chunks[-1].usage_metadata.thoughts_token_count == 2
    assert chunks[-1].usage_metadata.total_token_count == 12
    assert chunks[-1].response_id == "r"
    first, second = asked
    assert first.tools[0].parameters == WEATHER
    assert first.messages[0].role is Role.SYSTEM
    assert second.messages[2].parts == (
        Reasoning(seals={"signature": "not base64!"}),
        ToolCall(id="call_a", name="get_weather", arguments='{"city":"Rome"}'),
    )
    assert second.messages[3].parts == (ToolResult(call_id="call_a", parts=(Text(text="sunny"),)),)


async def test_a_whole_answer_is_understood() -> None:
    parts = (ReplyPart(kind=PartKind.TEXT, text="Hello."),)
    reply = Reply(choices=(Choice(parts=parts, reason=StopReason.MAX_TOKENS),), usage=Usage(prompt=1, completion=2))
    async with client(lambda _: reply) as sdk:
        answer = await sdk.models.generate_content(model="models/glm-5", contents="hi", config=settings())

    assert answer.text == "Hello."
    assert answer.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert answer.model_version == "glm-5"
    assert answer.response_id == "x"


async def test_a_schema_of_the_sdks_own_kind_is_understood() -> None:
    asked: list[ChatRequest] = []
    schema = types.Schema(type=types.Type.OBJECT, properties={"n": types.Schema(type=types.Type.INTEGER)})
    config = settings(response_mime_type="application/json", response_schema=schema, top_k=40, stop_sequences=["x"])
    async with client(lambda _: EVENTS, asked) as sdk:
        async for _ in await sdk.models.generate_content_stream(model="m", contents="hi", config=config):
            pass

    assert asked[0].response_format is not None
    assert asked[0].response_format["json_schema"]["schema"] == {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
    }
    assert (asked[0].sampling.top_k, asked[0].sampling.stop) == (40, ("x",))


@pytest.mark.parametrize(
    ("error", "kind"),
    [(RateLimited("Slow down.", retry_after_s=3), "ClientError"), (GatewayError("Oh."), "ServerError")],
)
async def test_errors_become_the_sdks_own(error: GatewayError, kind: str) -> None:
    errors = pytest.importorskip("google.genai.errors")
    async with client(lambda _: error) as sdk:
        with pytest.raises(getattr(errors, kind)) as caught:
            await sdk.models.generate_content(model="m", contents="hi")

    assert caught.value.message == error.message
    assert caught.value.code == CODEC.encode_error(error, "r").status


async def test_an_error_in_a_stream_is_raised() -> None:
    errors = pytest.importorskip("google.genai.errors")
    failing = [*EVENTS[:3], failed(RateLimited("Slow down."))]
    async with client(lambda _: failing) as sdk:
        stream = await sdk.models.generate_content_stream(model="m", contents="hi", config=settings())
        with pytest.raises(errors.APIError, match="Slow down"):
            async for _ in stream:
                pass


async def test_tokens_are_counted_and_models_listed_page_by_page() -> None:
    async with client(lambda _: EVENTS) as sdk:
        counted = await sdk.models.count_tokens(model="glm-5", contents="hi")
        pager = await sdk.models.list(config={"page_size": 2})
        names = [model.name async for model in pager]

    assert counted.total_tokens == 42
    assert names == [f"models/m{number}" for number in range(5)]
