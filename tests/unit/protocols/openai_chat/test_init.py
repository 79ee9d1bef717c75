from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.base import EncodeOptions, Inbound
from iflow_cli_proxy.protocols.openai_chat import CODEC

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = b'{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"network_error"}]}'


def test_it_answers_with_and_without_the_version_in_the_path() -> None:
    assert {(route.method, route.path) for route in CODEC.routes} == {
        ("POST", "/v1/chat/completions"),
        ("POST", "/chat/completions"),
    }


def test_a_request_goes_in_and_comes_out() -> None:
    envelope = CODEC.read_envelope(Inbound(protocol=CODEC.name, body=jsonx.encode(BODY)))

    assert CODEC.encode_request(CODEC.decode_request(envelope)) == {"messages": BODY["messages"]}


def test_failing_words_reach_every_reader() -> None:
    words = frozenset({"network_error"})
    assert CODEC.decode_reply(ANSWER, CODEC.decode_error).choices[0].word == "network_error"
    for read in (CODEC.read_reply, CODEC.decode_reply, lambda *given: CODEC.tap(*given[1:]).look(given[0])):
        with pytest.raises(Exception, match="reported a failure"):
            read(ANSWER, CODEC.decode_error, words)


def test_an_empty_reply_and_an_empty_stream_can_be_written() -> None:
    assert jsonx.decode(CODEC.encode_reply(Reply(), EncodeOptions(id="i")))["choices"] == []
    assert run(CODEC.stream_encoder(EncodeOptions()), []) == []
