from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import ChatRequest, Message, Role, Sampling, Text
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.gemini.request import count_choices, decode_request, encode_request, read_envelope

CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]
STREAM = {"model": "glm-5", "method": "streamGenerateContent"}


def envelope(body: Json, path: dict[str, str] | None = None, **query: str) -> Envelope:
    path = {"model": "glm-5", "method": "generateContent"} if path is None else path
    return read_envelope(Inbound(protocol="gemini", body=jsonx.encode(body), path=path, query=query))


def again(body: dict[str, Json]) -> Json:
    return encode_request(decode_request(envelope(body)))


def test_model_method_and_form_stand_in_the_address() -> None:
    whole = envelope({"contents": CONTENTS})
    events = envelope({"contents": CONTENTS}, STREAM, alt="sse")
    array = envelope({"contents": CONTENTS, "generationConfig": {"candidateCount": 3}}, STREAM)

    assert (whole.model, whole.is_stream, whole.flavor, whole.choices) == ("glm-5", False, "", 1)
    assert (events.is_stream, events.flavor) == (True, "events")
    assert (array.is_stream, array.flavor, array.choices) == (True, "array", 3)
    assert events.wants_usage


@pytest.mark.parametrize("name", ["models/glm-5", "glm-5"])
def test_a_name_may_begin_with_models(name: str) -> None:
    assert envelope({"contents": CONTENTS}, {"model": name}).model == "glm-5"
    assert envelope({"contents": CONTENTS, "model": name}, {}).model == "glm-5"


@pytest.mark.parametrize(
    ("body", "path", "param"),
    [
        ({"contents": CONTENTS}, {}, "model"),
        ({"contents": CONTENTS}, {"model": "a/../b"}, "model"),
        ({}, None, "contents"),
        ({"contents": [{"parts": [{"text": 3}]}]}, None, "contents[0].parts[0].text"),
        ({"contents": CONTENTS, "generation_config": {"top_p": 7}}, None, "generationConfig.topP"),
        ({"contents": CONTENTS, "api_key": "x"}, None, "api_key"),
        ([], None, None),
    ],
)
def test_what_is_wrong_is_named(body: Json, path: dict[str, str] | None, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        envelope(body, path)

    assert caught.value.param == param


def test_the_fields_for_an_upstream_of_the_same_protocol_are_as_they_were_written() -> None:
    found = envelope({"model": "x", "contents": CONTENTS, "generation_config": {"top_p": 1}})

    assert jsonx.decode(jsonx.encode(found.fields)) == {"contents": CONTENTS, "generation_config": {"top_p": 1}}
    assert found.values["generationConfig"] == {"topP": 1}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"systemInstruction": {"parts": [{"text": "be"}]}},
        {"systemInstruction": {"role": "system", "parts": [{"text": "be"}]}},
        {"generationConfig": {}},
        {"generationConfig": {"temperature": 1, "topP": 0.95, "topK": 64, "thinkingConfig": {"includeThoughts": True}}},
        {"generationConfig": {"responseMimeType": "text/plain", "responseModalities": ["TEXT"]}},
        {"generationConfig": {"responseMimeType": "application/json", "responseSchema": {"type": "OBJECT"}}},
        {"tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}, {"googleSearch": {}}]},
        {"tools": [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}],
         "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}}},
        {"safetySettings": [{"category": "x", "threshold": "y"}], "cachedContent": "cachedContents/1", "labels": {}},
    ],
)  # fmt: skip
def test_a_body_comes_back_as_it_was(more: dict[str, Any]) -> None:
    body = {"contents": CONTENTS, **more}

    assert again(body) == body


def test_what_the_gateway_changes_is_not_undone_by_what_was_kept() -> None:
    request = decode_request(envelope({"contents": CONTENTS, "generationConfig": {"maxOutputTokens": 9, "x": 1}}))
    smaller = ChatRequest(model="m", messages=request.messages, sampling=Sampling(max_tokens=5), extras=request.extras)

    assert encode_request(smaller)["generationConfig"] == {"maxOutputTokens": 5, "x": 1}


def test_a_system_instruction_stands_before_the_conversation() -> None:
    request = decode_request(envelope({"contents": CONTENTS, "system_instruction": "be"}))

    assert request.messages[0] == Message(role=Role.SYSTEM, parts=(Text(text="be"),))


def test_cached_content_that_cannot_be_read_is_told() -> None:
    request = decode_request(envelope({"contents": CONTENTS, "cachedContent": "cachedContents/1"}))

    assert [note.path for note in request.notes] == ["cachedContent"]


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ({"responseLogprobs": True, "logprobs": 3}, ["responseLogprobs", "logprobs"]),
        ({"responseLogprobs": False}, []),
        (
            {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}},
            ["responseMimeType"],
        ),
        ({"responseMimeType": "text/plain"}, []),
        ({"responseMimeType": "application/json"}, []),
    ],
)
def test_what_no_other_protocol_can_be_asked_for_is_told(config: dict[str, Any], paths: list[str]) -> None:
    request = decode_request(envelope({"contents": CONTENTS, "generationConfig": config}))

    assert [note.path for note in request.notes] == [f"generationConfig.{path}" for path in paths]
    assert encode_request(request)["generationConfig"] == config


def test_the_number_of_answers_is_found_in_a_body_of_ours() -> None:
    assert count_choices(b'{"generationConfig":{"candidateCount":2}}') == 2
    assert count_choices(b'{"generationConfig":{}}') == count_choices(b"{}") == 1
