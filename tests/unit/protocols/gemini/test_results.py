import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import Image, Message, Role, Text, ToolResult
from iflow_cli_proxy.protocols.call_ids import CallIds
from iflow_cli_proxy.protocols.gemini.results import decode_result, encode_result, with_text

IMAGE = Image(data="AA", media_type="image/png")


def asked() -> CallIds:
    ids = CallIds()
    ids.call("a", "f")
    return ids


def again(wire: Json) -> Json:
    message = decode_result(wire, asked())
    (result,) = message.parts
    assert isinstance(result, ToolResult)
    return encode_result(result, message, asked())["functionResponse"]


@pytest.mark.parametrize(
    ("response", "text", "is_error"),
    [
        ({"output": "fine"}, "fine", False),
        ({"error": "broken"}, "broken", True),
        ({"result": "fine"}, "fine", False),
        ({"output": '{"a":1}'}, '{"a":1}', False),
        ({"temperature": 3, "wind": [1]}, '{"temperature":3,"wind":[1]}', False),
        ({"output": 3}, '{"output":3}', False),
        ({}, "{}", False),
    ],
)
def test_a_response_is_text_and_comes_back_as_it_was(response: Json, text: str, is_error: bool) -> None:
    wire = {"id": "a", "name": "f", "response": response}
    message = decode_result(wire, asked())

    assert message.role is Role.TOOL
    assert message.parts == (ToolResult(call_id="a", parts=(Text(text=text),), is_error=is_error),)
    assert again(wire) == wire


def test_pictures_inside_a_result_and_unknown_fields_come_back() -> None:
    blob = {"inlineData": {"mimeType": "image/png", "data": "AA"}}
    wire = {"id": "a", "name": "f", "response": {"output": "x"}, "parts": [blob], "willContinue": False}

    assert decode_result(wire, asked()).parts == (ToolResult(call_id="a", parts=(Text(text="x"), IMAGE)),)
    assert again(wire) == wire


def test_no_response_is_no_text_and_a_text_alone_is_one() -> None:
    assert decode_result({"id": "a", "name": "f"}, asked()).parts == (ToolResult(call_id="a"),)
    assert again({"id": "a", "name": "f", "response": "x"})["response"] == {"output": "x"}


def test_a_lone_result_keeps_the_name_of_its_function() -> None:
    wire = {"name": "g", "response": {"output": "x"}}

    assert decode_result(wire, CallIds()).name == "g"
    assert again(wire) == wire


def test_a_result_of_another_protocol_gets_the_name_of_its_call_and_its_texts_together() -> None:
    result = ToolResult(call_id="a", parts=(Text(text="x"), Text(text="y")), is_error=True)

    assert encode_result(result, Message(role=Role.TOOL), asked()) == {
        "functionResponse": {"id": "a", "name": "f", "response": {"error": "x\ny"}}
    }


def test_text_that_is_no_object_any_more_becomes_output() -> None:
    message = decode_result({"id": "a", "name": "f", "response": {"x": 1}}, asked())
    changed = ToolResult(call_id="a", parts=(Text(text="cut off"),))

    assert encode_result(changed, message, asked())["functionResponse"]["response"] == {"output": "cut off"}


def test_a_text_is_added_where_the_words_are() -> None:
    assert with_text({"error": "a"}, "b") == {"error": "a\nb"}
    assert with_text(None, "b") == {"output": "b"}
