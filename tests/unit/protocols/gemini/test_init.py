import re
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, InvalidRequest
from iflow_cli_proxy.protocols.base import EncodeOptions, Envelope, Inbound
from iflow_cli_proxy.protocols.gemini import CODEC
from iflow_cli_proxy.protocols.gemini.voice import ArrayVoice

BODY: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
PATH = {"model": "m", "method": "streamGenerateContent"}
ANSWER = b'{"candidates":[{"index":0,"content":{"parts":[{"text":"a"}]},"finishReason":"network_error"}]}'


def test_it_answers_under_both_versions() -> None:
    assert [(route.method, re.sub(r"{.*}", "", route.path)) for route in CODEC.routes] == [
        ("POST", "/v1beta/models/"),
        ("POST", "/v1/models/"),
    ]


def test_a_client_without_alt_hears_an_array_and_others_events() -> None:
    inbound = Inbound(protocol=CODEC.name, body=jsonx.encode(BODY), path=PATH)
    events = Inbound(protocol=CODEC.name, body=jsonx.encode(BODY), path=PATH, query={"alt": "sse"})
    whole = Inbound(protocol=CODEC.name, body=jsonx.encode(BODY), path={**PATH, "method": "generateContent"})

    assert isinstance(CODEC.voice(CODEC.read_envelope(inbound)), ArrayVoice)
    assert CODEC.voice(CODEC.read_envelope(events)) is CODEC
    assert CODEC.voice(CODEC.read_envelope(whole)) is CODEC


def test_each_client_has_an_array_of_its_own() -> None:
    envelope = CODEC.read_envelope(Inbound(protocol=CODEC.name, body=jsonx.encode(BODY), path=PATH))

    assert CODEC.voice(envelope) is not CODEC.voice(envelope)


def test_a_request_goes_in_and_comes_out() -> None:
    envelope = CODEC.read_envelope(Inbound(protocol=CODEC.name, body=jsonx.encode(BODY), path=PATH))

    assert CODEC.encode_request(CODEC.decode_request(envelope)) == BODY
    assert CODEC.repair(envelope) == (envelope, ())
    assert CODEC.find_images(envelope) == ()
    assert CODEC.replace_images(envelope, {}).values["contents"] == BODY["contents"]
    assert CODEC.count_choices(jsonx.encode(BODY)) == 1


def test_results_of_functions_that_nobody_called_are_refused_with_their_place() -> None:
    result = {"functionResponse": {"name": "f", "response": {"output": "x"}}}

    def asked(*contents: list[Any]) -> Envelope:
        body = {"contents": [{"role": "user", "parts": parts} for parts in contents]}
        return CODEC.read_envelope(Inbound(protocol=CODEC.name, body=jsonx.encode(body), path=PATH))

    with pytest.raises(InvalidRequest, match="no function call") as caught:
        CODEC.repair(asked([result], [result]))
    assert caught.value.param == "contents[0].parts[0].functionResponse"
    for good in (asked([result, {"text": "hi"}]), asked([{"functionCall": {"name": "f"}}], [result]), asked([])):
        assert CODEC.repair(good) == (good, ())


def test_failing_words_reach_every_reader() -> None:
    words = frozenset({"network_error"})
    assert CODEC.decode_reply(ANSWER, CODEC.decode_error).choices[0].word == "network_error"
    assert CODEC.carries_content(ANSWER)
    for read in (CODEC.read_reply, CODEC.decode_reply, lambda *given: CODEC.tap(*given[1:]).look(given[0])):
        with pytest.raises(GatewayError, match="reported a failure"):
            read(ANSWER, CODEC.decode_error, words)


def test_errors_and_answers_are_written() -> None:
    error = GatewayError("No.")

    assert CODEC.encode_error(error, "r").status == 500
    assert b"No." in CODEC.stream_error(error)
    assert list(CODEC.stream_encoder(EncodeOptions()).close()) == []
