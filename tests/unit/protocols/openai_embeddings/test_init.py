from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import EmptyAnswer, GatewayError, InvalidRequest, Malformed, RateLimited
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.continuing import may_continue
from iflow_cli_proxy.protocols.base import EncodeOptions, Inbound
from iflow_cli_proxy.protocols.openai_embeddings import CODEC

GOOD = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}], "model": "e"}


def read(**fields: Any) -> Any:
    return CODEC.read_envelope(Inbound(protocol=CODEC.name, body=jsonx.encode({"model": "e", **fields})))


@pytest.mark.parametrize("asked", ["text", ["a", "b"], [1, 2, 3], [[1, 2], [3]]])
def test_every_documented_input_is_passed_on_as_it_came(asked: Any) -> None:
    envelope = read(input=asked, dimensions=8, encoding_format="float", odd={"a": 1})

    assert (envelope.model, envelope.is_stream) == ("e", False)
    fields = jsonx.decode(jsonx.encode(envelope.fields))
    assert fields == {"input": asked, "dimensions": 8, "encoding_format": "float", "odd": {"a": 1}}


@pytest.mark.parametrize("fields", [{}, {"input": ""}, {"input": []}, {"input": 1}, {"input": "a", "dimensions": 0}])
def test_what_is_no_request_for_embeddings_is_told_with_its_path(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)

    assert caught.value.param in ("input", "dimensions")


def test_where_an_answer_goes_is_not_for_the_request_to_say() -> None:
    with pytest.raises(InvalidRequest, match="base_url"):
        read(input="a", base_url="http://elsewhere")


def test_an_answer_is_told_from_a_failure() -> None:
    def judge(body: Any) -> GatewayError | None:
        return RateLimited("slower") if "error" in body else None

    body = jsonx.encode({**GOOD, "usage": {"prompt_tokens": 5, "total_tokens": 5}})
    assert CODEC.read_reply(body, judge) == Usage(prompt=5)
    with pytest.raises(RateLimited):
        CODEC.read_reply(b'{"error":{}}', judge)
    with pytest.raises(EmptyAnswer):
        CODEC.read_reply(b"", judge)
    with pytest.raises(Malformed):
        CODEC.read_reply(b'{"choices":[]}', judge)


def test_nothing_of_a_conversation_is_made_of_it() -> None:
    envelope = read(input="a")

    assert CODEC.is_passed_on
    assert CODEC.voice(envelope) is CODEC
    assert not may_continue(CODEC.decode_request(envelope))
    assert CODEC.find_images(envelope) == ()
    assert CODEC.replace_images(envelope, {}) is envelope is CODEC.repair(envelope)[0]


def test_a_stream_is_no_answer() -> None:
    (event,) = CODEC.stream_decoder(lambda body: None, frozenset()).feed(Frame(b"{}"))
    assert event.kind == "upstream_malformed"
    with pytest.raises(Malformed):
        CODEC.tap(lambda body: None, frozenset()).look(b"{}")
    assert CODEC.stream_encoder(EncodeOptions()).close()[0].kind == "upstream_malformed"
