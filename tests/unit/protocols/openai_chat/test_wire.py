import msgspec
import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.checking import NOT_FOR_CLIENTS
from iflow_cli_proxy.protocols.openai_chat import wire


def test_what_counts_as_modelled_is_what_the_shapes_name() -> None:
    """A field added to a shape must leave the extras, or it would come out twice."""
    assert {"id", "model", "created", "choices", "usage", "error", "object"} == wire.MODELLED_ANSWER
    assert _names(wire.WireAnswer) <= wire.MODELLED_ANSWER
    own_words_of_servers = {"stop_reason", "matched_stop"}  # read, and handed on as they are
    assert _names(wire.WireChoice) == wire.MODELLED_CHOICE | own_words_of_servers
    assert _names(wire.WireDelta) == wire.MODELLED_DELTA


def test_the_probe_looks_at_nothing_that_the_answer_does_not_know() -> None:
    assert _names(wire.Probe) <= _names(wire.WireAnswer)
    assert _names(wire.ProbeChoice) <= _names(wire.WireChoice)


def test_no_word_for_other_gateways_is_a_field_of_a_request() -> None:
    assert not _names(wire.WireRequest) & set(NOT_FOR_CLIENTS)


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":5,"created":"1760000001","model":null,"choices":[{}]}',
        b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":{"a":1}}}]}}]}',
        b'{"choices":[{"index":null,"delta":null,"message":null,"finish_reason":null,"logprobs":{"x":[]}}]}',
        b'{"choices":[],"usage":[],"unknown":{"a":[1]}}',
        b"{}",
    ],
)
def test_answers_may_be_sloppy_where_it_does_not_matter(text: bytes) -> None:
    assert wire.decode_answer(text)
    assert wire.decode_probe(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'{"choices":5}', "choices"),
        (b'{"choices":[{"index":-1}]}', "choices[0].index"),
        (b'{"choices":[{"index":1024}]}', "choices[0].index"),
        (b'{"choices":[{"delta":{"content":5}}]}', "choices[0].delta.content"),
        (b'{"choices":[{"finish_reason":5}]}', "choices[0].finish_reason"),
    ],
)
def test_answers_must_be_right_where_it_does(text: bytes, path: str) -> None:
    with pytest.raises(JsonError) as caught:
        wire.decode_answer(text)

    assert caught.value.path == path


def test_a_request_names_the_path_of_what_is_wrong() -> None:
    with pytest.raises(JsonError) as caught:
        jsonx.convert({"model": "m", "messages": [{"role": "user", "content": [{"type": ""}]}]}, wire.WireRequest)

    assert caught.value.path == "messages[0].content[0].type"


def _names(shape: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(shape)}
