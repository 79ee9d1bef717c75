from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Reply
from iflow_cli_proxy.protocols.base import EncodeOptions, Inbound
from iflow_cli_proxy.protocols.ollama import CODEC

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = b'{"message":{"content":"a"},"done":true,"done_reason":"network_error"}'


def inbound(body: dict[str, Any], form: str = "chat") -> Inbound:
    return Inbound(protocol=CODEC.name, body=jsonx.encode(body), path={"form": form})


def test_one_route_stands_for_both_forms() -> None:
    assert [(route.method, route.path) for route in CODEC.routes] == [("POST", "/api/{form:chat|generate}")]


def test_each_form_has_a_voice_that_knows_the_model() -> None:
    chat = CODEC.voice(CODEC.read_envelope(inbound(BODY)))
    bare = CODEC.voice(CODEC.read_envelope(inbound({"model": "m", "prompt": "x"}, "generate")))

    assert jsonx.decode(chat.ping)["model"] == "m"
    assert "message" in jsonx.decode(chat.ping)
    assert "response" in jsonx.decode(bare.ping)


def test_a_request_goes_in_and_comes_out() -> None:
    envelope = CODEC.read_envelope(inbound(BODY))

    assert CODEC.encode_request(CODEC.decode_request(envelope)) == {"messages": BODY["messages"]}
    assert CODEC.repair(envelope) == (envelope, ())
    assert CODEC.find_images(envelope) == ()
    assert CODEC.replace_images(envelope, {}).values == BODY
    assert CODEC.count_choices(b"{}") == 1


def test_failing_words_reach_every_reader() -> None:
    words = frozenset({"network_error"})
    assert CODEC.decode_reply(ANSWER, CODEC.decode_error).choices[0].word == "network_error"
    assert CODEC.carries_content(ANSWER)
    for read in (CODEC.read_reply, CODEC.decode_reply, lambda *given: CODEC.tap(*given[1:]).look(given[0])):
        with pytest.raises(GatewayError, match="reported a failure"):
            read(ANSWER, CODEC.decode_error, words)


def test_errors_and_answers_are_written() -> None:
    assert CODEC.encode_error(GatewayError("No."), "r").status == 500
    assert jsonx.decode(CODEC.encode_reply(Reply(), EncodeOptions()))["done"] is True
