"""What the official Anthropic SDK makes of our bytes, without a socket: answers, streams, errors, lists of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from iflow_cli_proxy.core import errors, jsonx
from iflow_cli_proxy.core.assemble import assemble, disassemble
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import (
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    Reply,
    Sealed,
    Started,
    StopReason,
    UsageReported,
)
from iflow_cli_proxy.core.request import Role
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic import CODEC
from iflow_cli_proxy.protocols.anthropic.model_list import model_page
from iflow_cli_proxy.protocols.base import EncodeOptions, Inbound
from iflow_cli_proxy.protocols.listing import ModelRow

anthropic = pytest.importorskip("anthropic")
httpx = pytest.importorskip("httpx2")

ASKED: Final[Any] = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}
OPTIONS: Final = EncodeOptions(id="chatcmpl-9", model="m", prompt_tokens=40)
ANSWER: Final[list[Event]] = [
    Started(id="chatcmpl-1", model="glm-5"),
    PartStarted(part=0, kind=PartKind.REASONING),
    Delta(part=0, text="Two cities."),
    Sealed(part=0, kind="signature", value="EqQ/+8=="),
    PartEnded(part=0),
    PartStarted(part=1, kind=PartKind.TEXT),
    Delta(part=1, text="Let me "),
    Delta(part=1, text="look."),
    PartEnded(part=1),
    PartStarted(part=2, kind=PartKind.TOOL_CALL, id="call_a", name="get_weather"),
    PartStarted(part=3, kind=PartKind.TOOL_CALL, id="call_b", name="get_weather"),
    Delta(part=2, text='{"city":'),
    Delta(part=3, text='{"city":"Oslo"}'),
    Delta(part=2, text='"Rome"}'),
    PartStarted(part=4, kind=PartKind.TOOL_CALL, name="now"),
    PartEnded(part=2),
    PartEnded(part=3),
    PartEnded(part=4),
    ChoiceEnded(reason=StopReason.END_TURN),
    UsageReported(usage=Usage(prompt=120, cached=100, completion=9)),
    Ended(),
]

Answering = Callable[[Any], Any]


def client(answering: Answering) -> Any:
    http = httpx.Client(transport=httpx.MockTransport(answering))
    return anthropic.Anthropic(api_key="any", base_url="http://gateway", max_retries=0, http_client=http)


def streaming(*events: Event) -> Answering:
    wire = CODEC.ping + b"".join(run(CODEC.stream_encoder(OPTIONS), events))
    return lambda request: httpx.Response(200, headers={"content-type": CODEC.stream_type}, content=wire)


def check(message: Any) -> None:
    kinds = [block.type for block in message.content]
    assert kinds == ["thinking", "text", "tool_use", "tool_use", "tool_use"]
    thinking, text, rome, oslo, now = message.content
    assert (thinking.thinking, thinking.signature, text.text) == ("Two cities.", "EqQ/+8==", "Let me look.")
    assert [call.input for call in (rome, oslo, now)] == [{"city": "Rome"}, {"city": "Oslo"}, {}]
    assert (rome.id, oslo.id) == ("call_a", "call_b")
    assert now.id.startswith("toolu_")
    assert (message.id, message.model, message.stop_reason) == ("msg_chatcmpl1", "glm-5", "tool_use")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (20, 100, 9)


def test_a_stream_is_put_together_as_it_was_meant() -> None:
    with client(streaming(*ANSWER)) as sdk, sdk.messages.stream(**ASKED) as stream:
        assert "".join(stream.text_stream) == "Let me look."
        check(stream.get_final_message())


def test_a_whole_answer_says_the_same() -> None:
    reply = assemble(ANSWER)
    assert isinstance(reply, Reply)
    body = CODEC.encode_reply(reply, OPTIONS)

    with client(lambda request: httpx.Response(200, content=body)) as sdk:
        check(sdk.messages.create(**ASKED))


def test_a_whole_answer_sent_as_a_stream_says_the_same() -> None:
    reply = assemble(ANSWER)
    assert isinstance(reply, Reply)

    with client(streaming(*disassemble(reply))) as sdk, sdk.messages.stream(**ASKED) as stream:
        check(stream.get_final_message())


def test_what_the_sdk_got_it_can_send_back_and_we_read_it() -> None:
    seen: list[bytes] = []

    def answering(request: Any) -> Any:
        seen.append(request.read())
        return streaming(*ANSWER)(request)

    with client(answering) as sdk:
        with sdk.messages.stream(**ASKED) as stream:
            message = stream.get_final_message()
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "sunny"}
            for block in message.content
            if block.type == "tool_use"
        ]
        more = [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        with sdk.messages.stream(**ASKED | {"messages": ASKED["messages"] + more}) as stream:
            stream.until_done()

    envelope = CODEC.read_envelope(Inbound(protocol=CODEC.name, body=seen[-1]))
    request = CODEC.decode_request(envelope)
    roles = [Role.USER, Role.ASSISTANT, Role.TOOL, Role.TOOL, Role.TOOL]
    assert [message.role for message in request.messages] == roles
    assert CODEC.encode_request(request)["messages"] == jsonx.decode(seen[-1])["messages"]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (errors.InvalidRequest("No."), "BadRequestError"),
        (errors.ContextOverflow("No."), "BadRequestError"),
        (errors.Unauthenticated("No."), "AuthenticationError"),
        (errors.Forbidden("No."), "PermissionDeniedError"),
        (errors.UnknownModel("No."), "NotFoundError"),
        (errors.TooLarge("No."), "ContentTooLargeError"),
        (errors.RateLimited("No.", retry_after_s=7), "RateLimitError"),
        (errors.QuotaExhausted("No."), "RateLimitError"),
        (errors.Overloaded("No."), "OverloadedError"),
        (errors.NoAccountAvailable("No."), "ServiceUnavailableError"),
        (errors.TimedOut("idle", 5), "GatewayTimeoutError"),
        (errors.Failing("No."), "InternalServerError"),
        (errors.InternalError("No."), "InternalServerError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else value,
)
def test_errors_become_its_own_exceptions(error: GatewayError, name: str) -> None:
    reply = CODEC.encode_error(error, "req_1")

    def answering(request: Any) -> Any:
        return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body)

    with client(answering) as sdk, pytest.raises(anthropic.APIStatusError) as caught:
        sdk.messages.create(**ASKED)

    assert type(caught.value).__name__ == name
    assert caught.value.request_id == "req_1"
    assert error.message in str(caught.value)


def test_an_error_in_the_middle_of_a_stream_is_raised() -> None:
    cut = Failed(kind="upstream_cut", message="The answer was cut off.")

    with (
        client(streaming(*ANSWER[:8], cut)) as sdk,
        sdk.messages.stream(**ASKED) as stream,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        stream.get_final_message()

    assert "The answer was cut off." in str(caught.value)


def test_it_reads_the_list_of_models_to_its_end() -> None:
    rows = [ModelRow(id=f"m{number}", name=f"M {number}", created=1_795_132_800) for number in range(45)]

    def answering(request: Any) -> Any:
        return httpx.Response(200, content=jsonx.encode(model_page(rows, dict(request.url.params))))

    with client(answering) as sdk:
        models = list(sdk.models.list())

    assert [model.id for model in models] == [row.id for row in rows]
    assert models[0].created_at.year == 2026
