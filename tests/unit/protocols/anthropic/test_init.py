from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.anthropic import CODEC
from iflow_cli_proxy.protocols.base import Codec, EncodeOptions, Inbound

BODY: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
ANSWER = b'{"content":[],"stop_reason":"network_error"}'
EVENT = b'{"type":"message_delta","delta":{"stop_reason":"network_error"}}'


def test_it_is_a_codec() -> None:
    codec: Codec = CODEC

    assert codec.voice(codec.read_envelope(inbound())) is CODEC


def inbound() -> Inbound:
    return Inbound(
        protocol=CODEC.name,
        body=jsonx.encode(BODY),
        headers={"anthropic-version": "2099-01-01", "anthropic-beta": "a,b"},
        query={"beta": "true"},
    )


def test_it_answers_at_its_own_path_and_under_a_prefix() -> None:
    assert {(route.method, route.path) for route in CODEC.routes} == {
        ("POST", "/v1/messages"),
        ("POST", "/anthropic/v1/messages"),
    }


def test_a_request_goes_in_and_comes_out() -> None:
    envelope = CODEC.read_envelope(inbound())

    assert CODEC.repair(envelope) == (envelope, ())
    assert CODEC.encode_request(CODEC.decode_request(envelope)) == jsonx.without(BODY, "model")
    assert CODEC.count_choices(inbound().body) == 1


def test_failing_words_reach_every_reader() -> None:
    words = frozenset({"network_error"})

    assert CODEC.decode_reply(ANSWER, CODEC.decode_error).choices[0].word == "network_error"
    with pytest.raises(Exception, match="reported a failure"):
        CODEC.read_reply(ANSWER, CODEC.decode_error, words)
    with pytest.raises(Exception, match="reported a failure"):
        CODEC.decode_reply(ANSWER, CODEC.decode_error, words)
    with pytest.raises(Exception, match="reported a failure"):
        CODEC.tap(CODEC.decode_error, words).look(EVENT)


def test_an_empty_reply_and_an_empty_stream_can_be_written() -> None:
    assert jsonx.decode(CODEC.encode_reply(Reply(), EncodeOptions(id="i")))["content"] == []
    assert run(CODEC.stream_encoder(EncodeOptions()), []) == []
