"""The official OpenAI SDK against `serve --demo`: what its users see, and which of its exceptions they catch.

A fault is asked for by the model's name: `fault-NAME`, or `MODEL+NAME`; the demo's table of faults has the names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from iflow_cli_proxy.core import jsonx
from tests.support.serving import serving

MODEL: Final = "glm-4.7"
THINKER: Final = "kimi-k2-thinking"
HELLO: Final[Any] = [{"role": "user", "content": "Hello"}]
WEATHER: Final[Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving("--demo", home=tmp_path_factory.mktemp("demo")) as running:
        yield f"{running.url}/v1"


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=url, api_key="any", max_retries=0, timeout=20) as client:
        yield client


# --- answers ------------------------------------------------------------------------------------------------------


def test_an_answer_in_one_piece(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)

    assert answer.object == "chat.completion"
    assert "simulated on this machine" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer._request_id


def test_a_stream_says_the_same_piece_by_piece(client: OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HELLO)

    with client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)

    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(texts) > 5
    assert "".join(texts) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert len({chunk.id for chunk in chunks}) == 1


def test_thinking_comes_apart_from_the_text(client: OpenAI) -> None:
    message = client.chat.completions.create(model=THINKER, messages=HELLO).choices[0].message

    assert message.model_extra is not None
    assert "The user says" in message.model_extra["reasoning_content"]
    assert "The user says" not in (message.content or "")


def test_an_answer_that_reaches_the_limit_says_so(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=5)

    assert answer.choices[0].finish_reason == "length"


async def test_the_asynchronous_client_streams_too(url: str) -> None:
    async with AsyncOpenAI(base_url=url, api_key="any", max_retries=0, timeout=20) as client:
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=60, stream=True)
        texts = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]

    assert "".join(texts)


def test_a_stream_left_early_makes_room_at_once(client: OpenAI) -> None:
    with client.chat.completions.create(model=MODEL, messages=HELLO, stream=True) as stream:
        next(iter(stream))

    assert client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=5).choices


# --- tools --------------------------------------------------------------------------------------------------------


def test_a_tool_is_called_and_its_result_is_read(client: OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    calls = first.choices[0].message.tool_calls
    assert first.choices[0].finish_reason == "tool_calls"
    assert calls is not None
    assert calls[0].type == "function"
    assert calls[0].function.name == "get_weather"
    assert isinstance(jsonx.decode(calls[0].function.arguments.encode())["city"], str)

    messages += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": calls[0].id, "content": "18 degrees and rain"},
    ]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])

    assert second.choices[0].finish_reason == "stop"
    assert "18 degrees and rain" in (second.choices[0].message.content or "")


def test_two_streamed_calls_come_apart_by_their_index(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "What is the weather in both Paris and Rome?"}]

    with client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], stream=True) as stream:
        deltas = [call for chunk in stream if chunk.choices for call in chunk.choices[0].delta.tool_calls or ()]

    arguments = ["", ""]
    for delta in deltas:
        assert delta.function is not None
        arguments[delta.index] += delta.function.arguments or ""
    assert len({delta.id for delta in deltas if delta.id}) == 2
    assert all(isinstance(jsonx.decode(text.encode())["city"], str) for text in arguments)


# --- models -------------------------------------------------------------------------------------------------------


def test_models_are_listed_and_found_by_name(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]

    assert {MODEL, THINKER} <= set(names)
    assert client.models.retrieve(MODEL).id == MODEL


# --- errors -------------------------------------------------------------------------------------------------------


def test_a_wrong_request_names_the_field(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": 7}]

    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=messages)

    assert caught.value.param == "messages[0].content"
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id


def test_a_model_nobody_has_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=HELLO)

    assert caught.value.code == "model_not_found"


def test_a_model_that_is_not_listed_is_not_found(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")


@pytest.mark.parametrize("fault", ["http_429", "business_449"])
def test_a_limit_is_a_rate_limit_error_with_the_time_to_wait(client: OpenAI, fault: str) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model=f"fault-{fault}", messages=HELLO)

    assert int(caught.value.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("fault", "status"),
    [("http_500", 502), ("html", 502), ("reset", 502), ("cut_json", 502), ("business_434", 502), ("http_503", 503)],
)
def test_an_upstream_that_fails_is_an_internal_server_error(client: OpenAI, fault: str, status: int) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=f"fault-{fault}", messages=HELLO)

    assert caught.value.status_code == status
    assert caught.value.type == "upstream_error"


def test_a_stream_that_never_began_is_an_error_of_its_status(client: OpenAI) -> None:
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="fault-first_event_error", messages=HELLO, stream=True)


@pytest.mark.parametrize("fault", ["cut", "reset_midway", "error_event", "no_finish"])
def test_a_stream_that_breaks_off_raises_and_never_looks_finished(client: OpenAI, fault: str) -> None:
    seen: list[Any] = []
    stream = client.chat.completions.create(model=f"{MODEL}+{fault}", messages=HELLO, stream=True)

    with stream, pytest.raises(openai.APIError) as caught:
        seen.extend(stream)

    assert caught.type is openai.APIError
    assert not [chunk for chunk in seen if chunk.choices and chunk.choices[0].finish_reason]


def test_a_client_key_is_asked_for_where_one_is_required(tmp_path: Path) -> None:
    env = {"IFLOW2API_AUTH_REQUIRED": "always", "IFLOW2API_CLIENT_KEY": "sk-right-0123456789"}
    with serving("--demo", home=tmp_path, env=env) as running:
        options: Any = {"base_url": f"{running.url}/v1", "max_retries": 0, "timeout": 20}
        with OpenAI(api_key="sk-wrong", **options) as wrong, pytest.raises(openai.AuthenticationError) as caught:
            wrong.models.list()
        with OpenAI(api_key="sk-right-0123456789", **options) as right:
            assert right.models.list().data

    assert caught.value.code == "invalid_api_key"
