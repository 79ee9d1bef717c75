import pytest

from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.checking import NOT_FOR_CLIENTS, invalid, read_object


def test_an_object_is_read_as_it_is() -> None:
    assert read_object(b'{"model":"m","x":[1]}') == {"model": "m", "x": [1]}


@pytest.mark.parametrize("name", NOT_FOR_CLIENTS)
def test_i16_no_request_chooses_where_it_goes(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_object(b'{"%b":"x"}' % name.encode())

    assert caught.value.param == name


@pytest.mark.parametrize("body", [b"[]", b"5", b'"text"', b"null"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read_object(body)


def test_more_fields_than_anybody_means_are_refused() -> None:
    body = b"{%b}" % b",".join(b'"f%d":1' % number for number in range(1001))

    with pytest.raises(InvalidRequest):
        read_object(body)


def test_a_mistake_is_named_by_its_path_or_by_the_field_it_is_in() -> None:
    assert invalid(JsonError("Expected `str`", "a.b"), b"{}").param == "a.b"
    assert invalid(JsonError("nested"), b'{"a":1,"deep":%b}' % (b"[" * 200 + b"]" * 200)).param == "deep"
    assert "not valid JSON" in invalid(JsonError("Input data was truncated"), b"{").message
