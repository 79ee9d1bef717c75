"""What a probe asks is well formed."""

from __future__ import annotations

import base64
import struct

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.gateway.trials import bodies


def test_the_picture_is_a_picture() -> None:
    png = base64.b64decode(bodies.PIXEL.partition(",")[2], validate=True)

    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (16, 16)


def test_every_schema_word_stands_in_the_tool_that_tries_it() -> None:
    for word in bodies.SCHEMA_WORDS:
        assert f'"{word}"' in jsonx.encode(bodies.tool_with([word])).decode()
    untouched = jsonx.encode(bodies.tool()).decode()
    assert not [word for word in bodies.SCHEMA_WORDS if f'"{word}"' in untouched]


def test_the_long_name_is_twice_what_openai_takes() -> None:
    assert len(bodies.LONG_NAME) == 128


def test_halves_lose_nothing() -> None:
    assert bodies.halves(["a", "b", "c"]) == (["a"], ["b", "c"])


def test_a_turn_with_a_tool_may_hold_the_thinking_that_led_to_it() -> None:
    bare, told = bodies.tool_turn("x"), bodies.tool_turn("x", thinking={"reasoning_content": "hm"})

    assert [message["role"] for message in bare] == ["user", "assistant", "tool"]
    assert told[1] == {**bare[1], "reasoning_content": "hm"}
