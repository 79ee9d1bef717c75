from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.request import ChatRequest, Message, Role, Sampling, Text
from iflow_cli_proxy.protocols.base import Envelope
from iflow_cli_proxy.protocols.openai_chat import CODEC as CHAT
from iflow_cli_proxy.protocols.openai_completions import CODEC
from iflow_cli_proxy.protocols.openai_completions.request import (
    decode_request,
    encode_request,
    read_envelope,
)
from tests.support.goldens import inbound


def envelope(**fields: Any) -> Envelope:
    return read_envelope(inbound(CODEC, jsonx.encode({"model": "m", "prompt": "Once"} | fields)))


def test_an_envelope_has_what_routes_a_request() -> None:
    found = envelope(stream=True, stream_options={"include_usage": True}, n=3)

    assert (found.model, found.is_stream, found.wants_usage, found.choices) == ("m", True, True, 3)
    assert found.fields.keys() == {"prompt", "stream_options", "n"}


@pytest.mark.parametrize("prompt", ["Once", ["Once"]])
def test_a_prompt_is_what_a_user_says(prompt: Any) -> None:
    found = decode_request(envelope(prompt=prompt, max_tokens=9, stop=["."], n=2, user="u"))

    assert found.messages == (Message(role=Role.USER, parts=(Text(text="Once"),)),)
    assert found.sampling == Sampling(max_tokens=9, stop=(".",), n=2)
    assert found.user == "u"


@pytest.mark.parametrize(
    ("fields", "param", "word"),
    [
        ({"prompt": None}, "prompt", "text"),
        ({"prompt": 5}, "prompt", "text"),
        ({"prompt": []}, "prompt", "text"),
        ({"prompt": ["a", "b"]}, "prompt", "several"),
        ({"prompt": [1, 2]}, "prompt", "tokens"),
        ({"prompt": [[1, 2]]}, "prompt", "tokens"),
        ({"prompt": ["a", 2]}, "prompt", "tokens"),
        ({"suffix": "end"}, "suffix", "between"),
        ({"best_of": 2}, "best_of", "n"),
        ({"max_tokens": 0}, "max_tokens", "int"),
        ({"logprobs": True}, "logprobs", "int"),
        ({"base_url": "http://x"}, "base_url", "gateway"),
    ],
)
def test_what_cannot_be_had_is_refused_by_its_path(fields: dict[str, Any], param: str, word: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        envelope(**fields)

    assert caught.value.param == param
    assert word in caught.value.message


def test_a_missing_prompt_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_envelope(inbound(CODEC, b'{"model":"m"}'))

    assert caught.value.param == "prompt"


def test_logprobs_are_left_out_with_a_note() -> None:
    assert [note.path for note in decode_request(envelope(logprobs=2)).notes] == ["logprobs"]
    assert decode_request(envelope(logprobs=0, echo=True, suffix="", best_of=1)).notes == ()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"prompt": ["Once"], "n": 1, "stop": ".", "suffix": None},
        {"stop": [".", "!"], "n": 2, "seed": 4, "logit_bias": {"5": 1}, "echo": True, "logprobs": 3},
    ],
)
def test_a_request_survives_the_canonical_form(fields: dict[str, Any]) -> None:
    assert encode_request(decode_request(envelope(**fields))) == {"prompt": "Once"} | fields


def test_a_conversation_is_its_texts() -> None:
    messages = (Message(role=Role.SYSTEM, parts=(Text(text="a"),)), Message(role=Role.USER, parts=(Text(text="b"),)))

    assert encode_request(ChatRequest(model="m", messages=messages)) == {"prompt": "a\n\nb"}


@pytest.mark.parametrize(("body", "count"), [(b"{}", 1), (b'{"n":3}', 3), (b'{"n":null}', 1)])
def test_the_number_of_answers_is_that_of_the_body(body: bytes, count: int) -> None:
    assert CODEC.count_choices(body) == count


def test_what_chats_have_the_same_word_for_reaches_them() -> None:
    asked = {"model": "m", "prompt": "p", "logit_bias": {"50256": -100}, "top_k": 4, "min_p": 0.1}
    envelope = CODEC.read_envelope(inbound(CODEC, jsonx.encode(asked)))
    sent = CHAT.encode_request(CODEC.decode_request(envelope))

    assert {name: sent[name] for name in sent if name != "messages"} == {
        "logit_bias": {"50256": -100}, "top_k": 4, "min_p": 0.1,
    }  # fmt: skip
