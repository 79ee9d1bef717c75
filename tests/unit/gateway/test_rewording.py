from __future__ import annotations

from typing import Any

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import Message, Role, Text
from iflow_cli_proxy.gateway.rewording import reworded, shortened
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Envelope, Inbound
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


def test_a_bare_generation_becomes_the_conversation_that_is_made_of_it() -> None:
    codec = CODECS["ollama"]
    body = jsonx.encode({"model": "m", "prompt": "hi", "system": "be kind", "images": ["iVBORw0KGgo="]})
    asked = codec.read_envelope(Inbound(protocol="ollama", body=body, path={"form": "generate"}))
    request = codec.decode_request(asked)
    more = Message(role=Role.ASSISTANT, parts=(Text(text="Hel"),))
    wanted = msgspec.structs.replace(request, messages=(*request.messages, more))

    found = codec.decode_request(reworded(asked, codec, wanted))

    assert found.messages == wanted.messages


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


OLD_FORM: list[dict[str, Any]] = [
    {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
    {"role": "user", "content": "word " * 800},
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "function", "name": "f", "content": "42"},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.test/a.png"}, "min_pixels": 4}]},
    {"role": "assistant", "content": "seen", "annotations": []},
]


def test_messages_that_stay_are_the_clients_own_with_all_that_has_no_words() -> None:
    asked = envelope(messages=OLD_FORM)
    request = CODEC.decode_request(asked)
    more = Message(role=Role.USER, parts=(Text(text="more"),))
    added = reworded(asked, CODEC, msgspec.structs.replace(request, messages=(*request.messages, more)))
    fewer = reworded(asked, CODEC, msgspec.structs.replace(request, messages=(request.messages[0], more)))

    assert added.values["messages"] == [*OLD_FORM, {"role": "user", "content": "more"}]
    assert fewer.values["messages"] == [OLD_FORM[0], {"role": "user", "content": "more"}]


def test_what_is_left_of_a_long_prompt_is_as_it_was_written_and_a_result_stays_with_its_call() -> None:
    found = shorten(envelope(messages=[OLD_FORM[0], *ROUND, *OLD_FORM[1:]]), 600)
    assert found is not None
    kept = found[0].values["messages"]
    assert kept[0] == OLD_FORM[0]
    assert all(message in OLD_FORM for message in kept)
    names = [message["role"] for message in kept]
    assert ("function" in names) == any("function_call" in message for message in kept)


def test_of_messages_that_are_alike_the_last_ones_stay() -> None:
    talk = [{"role": "user", "content": "again", "id": number} for number in range(3)]
    asked = envelope(messages=talk)
    request = CODEC.decode_request(asked)
    found = reworded(asked, CODEC, msgspec.structs.replace(request, messages=request.messages[:1]))

    assert len(found.values["messages"]) == 1
