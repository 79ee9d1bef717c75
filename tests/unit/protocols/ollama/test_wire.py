from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.ollama.wire import AnswerMessage, WireChat, WireGenerate, decode_answer

HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"model": ""}, "model"),
        ({"model": "../x"}, "model"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "images": [""]}]}, "messages[0].images[0]"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"options": {"temperature": -1}}, "options.temperature"),
        ({"think": 3}, "think"),
        ({"format": 3}, "format"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(JsonError) as caught:
        jsonx.convert({**HELLO, **change}, WireChat)

    assert caught.value.path == path


def test_what_only_a_local_server_minds_is_taken() -> None:
    body = {"model": "m", "prompt": "x", "keep_alive": -1, "options": {"num_ctx": 4096, "mirostat": 1}, "raw": True}

    assert jsonx.convert(body, WireGenerate).prompt == "x"


def test_both_forms_of_an_answer_are_read_as_one() -> None:
    chat = decode_answer(b'{"message":{"role":"assistant","content":"a","thinking":"b"}}')
    bare = decode_answer(b'{"response":"a","thinking":"b"}')

    assert chat.as_message() == bare.as_message() == AnswerMessage(content="a", thinking="b")
    assert decode_answer(b'{"done":true}').as_message() is None
