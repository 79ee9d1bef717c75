import msgspec
import pytest

from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.checking import NOT_FOR_CLIENTS
from iflow_cli_proxy.protocols.openai_completions.wire import MODELLED_ANSWER, WireAnswer, WireRequest, decode_answer


def names(shape: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in msgspec.structs.fields(shape)}


def test_no_word_for_other_gateways_is_a_field_of_a_request() -> None:
    assert not names(WireRequest) & set(NOT_FOR_CLIENTS)


def test_what_counts_as_modelled_is_what_the_shape_names() -> None:
    assert names(WireAnswer) | {"object"} == MODELLED_ANSWER


def test_answers_may_be_sloppy_where_it_does_not_matter() -> None:
    assert decode_answer(b'{"id":5,"created":"x","choices":[{"logprobs":[]}],"usage":[]}').choices


@pytest.mark.parametrize("text", [b'{"choices":5}', b'{"choices":[{"text":5}]}', b'{"choices":[{"index":-1}]}'])
def test_answers_must_be_right_where_it_does(text: bytes) -> None:
    with pytest.raises(JsonError):
        decode_answer(text)
