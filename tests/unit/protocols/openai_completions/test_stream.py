from typing import Any

import httpx2
import pytest
from openai import APIError, OpenAI

from iflow_cli_proxy.core import grammar, jsonx
from iflow_cli_proxy.core.errors import Overloaded
from iflow_cli_proxy.core.events import (
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    Started,
    StopReason,
    UsageReported,
)
from iflow_cli_proxy.core.sse import Frame, Framer
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_completions import CODEC
from iflow_cli_proxy.protocols.openai_completions.stream import StreamDecoder, StreamEncoder
from iflow_cli_proxy.protocols.openai_errors import decode_error
from tests.support.goldens import SCENARIOS

TOLD: list[Event] = [
    Started(id="chatcmpl-1", model="m", created=7),
    PartStarted(part=0, kind=PartKind.REASONING),
    Delta(part=0, text="Hm."),
    PartEnded(part=0),
    PartStarted(part=1, kind=PartKind.TEXT),
    Delta(part=1, text=" up"),
    Delta(part=1, text="on"),
    PartEnded(part=1),
    ChoiceEnded(reason=StopReason.MAX_TOKENS),
    UsageReported(usage=Usage(prompt=1, completion=2)),
    Ended(),
]


def written(options: EncodeOptions) -> list[Any]:
    frames = run(Framer(), run(StreamEncoder(options), TOLD))
    return [frame.data if frame.data == b"[DONE]" else jsonx.decode(frame.data) for frame in frames]


def decoded(*chunks: Any, choices: int = 1) -> list[Event]:
    frames = [Frame(chunk if isinstance(chunk, bytes) else jsonx.encode(chunk)) for chunk in chunks]
    found = run(StreamDecoder(decode_error, frozenset({"network_error"}), choices), frames)
    grammar.check(found)
    return found


def chunk(text: str = "", finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"id": "cmpl-1", "choices": [{"text": text, "index": index, "finish_reason": finish}]}


def test_text_goes_out_in_chunks_and_usage_last() -> None:
    first, second, end, usage, done = written(EncodeOptions())

    assert first == {
        "id": "cmpl-1",
        "object": "text_completion",
        "created": 7,
        "model": "m",
        "choices": [{"text": " up", "index": 0, "logprobs": None, "finish_reason": None}],
    }
    assert second["choices"][0]["text"] == "on"
    assert end["choices"][0]["finish_reason"] == "length"
    assert (usage["choices"], usage["usage"]["total_tokens"], done) == ([], 3, b"[DONE]")
    assert len(written(EncodeOptions(shows_usage=False))) == 4


def test_an_echo_goes_first() -> None:
    first, second, third, *_ = written(EncodeOptions(asked={"prompt": "Once", "echo": True}))

    assert [one["choices"][0]["text"] for one in (first, second, third)] == ["Once", " up", "on"]


def test_each_answer_is_one_text() -> None:
    found = decoded(chunk("a"), chunk("b", index=1), chunk("c", "stop"), chunk("", "length", 1), b"[DONE]", choices=2)

    assert [event for event in found if isinstance(event, Delta)] == [
        Delta(part=0, text="a"),
        Delta(part=1, text="b"),
        Delta(part=0, text="c"),
    ]
    assert found[-1] == Ended()


@pytest.mark.parametrize(
    ("chunks", "kind"),
    [
        ([], "upstream_empty"),
        ([b"[DONE]"], "upstream_empty"),
        ([chunk("a")], "upstream_cut"),
        ([chunk("a"), {"error": {"message": "Crashed.", "type": "server_error"}}], "upstream_failing"),
        ([chunk("a"), chunk("", "network_error")], "upstream_failing"),
        ([b"{}"], "upstream_malformed"),
        ([chunk("a"), b"{"], "upstream_cut"),
    ],
)
def test_a_failure_is_the_last_event(chunks: list[Any], kind: str) -> None:
    failure = decoded(*chunks)[-1]

    assert isinstance(failure, Failed)
    assert failure.kind == kind


def sdk(wire: bytes) -> OpenAI:
    transport = httpx2.MockTransport(
        lambda request: httpx2.Response(200, content=wire, headers={"content-type": CODEC.stream_type})
    )
    return OpenAI(api_key="x", base_url="http://t/v1", max_retries=0, http_client=httpx2.Client(transport=transport))


@pytest.mark.parametrize(
    "scenario",
    [one for one in SCENARIOS if one.path(CODEC, "reply.json").exists()],
    ids=lambda scenario: scenario.name,
)
def test_the_official_sdk_reads_every_good_stream(scenario: Any) -> None:
    stream = sdk(scenario.read(CODEC, "sse")).completions.create(model="m", prompt="x", stream=True)
    texts = "".join(choice.text for one in stream for choice in one.choices)

    whole = jsonx.decode(scenario.read(CODEC, "reply.json"))
    assert sorted(texts) == sorted("".join(choice["text"] for choice in whole["choices"]))


def test_an_error_on_the_way_is_its_own_exception() -> None:
    stream = sdk(CODEC.stream_error(Overloaded("Too busy."))).completions.create(model="m", prompt="x", stream=True)

    with pytest.raises(APIError, match="Too busy"):
        list(stream)
