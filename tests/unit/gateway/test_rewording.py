from __future__ import annotations

from typing import Any

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import Message, Role, Text
from iflow_cli_proxy.gateway.rewording import reworded, shortened
from iflow_cli_proxy.protocols.base import Envelope
from tests.support.exchanges import CODEC, inbound

ROUND = [{"role": "user", "content": "word " * 800}, {"role": "assistant", "content": "yes"}]
"""About a thousand tokens."""
PICTURE = {"type": "image_url", "image_url": {"url": "https://pictures.test/1.png"}}


def envelope(**fields: Any) -> Envelope:
    return CODEC.read_envelope(inbound(**fields))


def roles(found: tuple[Envelope, str] | None) -> list[str]:
    assert found is not None
    return [message["role"] for message in found[0].values["messages"]]


def shorten(asked: Envelope, window: int, *, output: int = 0, has_overflowed: bool = False) -> Any:
    return shortened(
        asked, CODEC, window_tokens=window, output_tokens=output, keep_rounds=1, has_overflowed=has_overflowed
    )


def test_only_what_is_said_differently_is_replaced() -> None:
    asked = envelope(max_completion_tokens=5, unknown={"x": 1.0})
    request = CODEC.decode_request(asked)
    more = Message(role=Role.USER, parts=(Text(text="more"),))
    found = reworded(asked, CODEC, msgspec.structs.replace(request, messages=(*request.messages, more)))

    said = [{"role": "user", "content": "hi"}, {"role": "user", "content": "more"}]
    assert found.values == {**asked.values, "messages": said}
    assert {name: value for name, value in found.fields.items() if name != "messages"} == {
        name: value for name, value in asked.fields.items() if name != "messages"
    }
    assert found.fields["messages"] == said
    assert CODEC.decode_request(found).messages[-1] == more
    assert bytes(asked.fields["messages"]).startswith(b"["), "the envelope itself is not changed"


def test_a_prompt_that_is_too_long_loses_its_oldest_rounds() -> None:
    found = shorten(envelope(messages=ROUND * 6), 3000)
    assert roles(found) == ["user", "assistant"] * 2
    assert found[1] == "removed=8 messages, about 4036 tokens"
    assert jsonx.decode(jsonx.encode(found[0].fields["messages"])) == ROUND * 2


def test_the_answer_needs_room_too() -> None:
    asked = envelope(messages=ROUND * 6)
    assert shorten(asked, 8000) is None
    assert roles(shorten(asked, 8000, output=4000)) == ["user", "assistant"] * 2
    brief = envelope(messages=ROUND * 6, max_tokens=10)
    assert shorten(brief, 8000, output=4000) is None
    greedy = envelope(messages=ROUND * 6, max_tokens=1_000_000)
    assert roles(shorten(greedy, 8000, output=4000)) == ["user", "assistant"] * 2


def test_without_a_known_window_only_an_overflow_shortens() -> None:
    asked = envelope(messages=ROUND * 6)
    assert shorten(asked, 0) is None
    assert roles(shorten(asked, 0, has_overflowed=True)) == ["user", "assistant"]
    assert roles(shorten(asked, 1_000_000, has_overflowed=True)) == ["user", "assistant"]
    assert shorten(envelope(messages=ROUND), 0, has_overflowed=True) is None


def test_pictures_cost_more_than_their_addresses() -> None:
    shown = [{"role": "user", "content": [PICTURE]}, {"role": "assistant", "content": "a cat"}]
    assert roles(shorten(envelope(messages=shown * 6), 3000)) == ["user", "assistant"] * 2
