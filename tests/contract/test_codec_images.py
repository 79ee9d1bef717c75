"""What the gateway relies on when it changes a request's images, whichever protocol the request is in."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import ChatRequest, Image, Message, Role, Text, ToolCall, ToolResult
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Codec, Envelope, Inbound

WITHOUT = ("openai_completions", "openai_embeddings", "ollama")
"""No images, or (Ollama) a list of them beside one text, which has a test of its own."""
pytestmark = pytest.mark.parametrize(
    "codec", [codec for codec in CODECS.values() if codec.name not in WITHOUT], ids=lambda codec: codec.name
)

SHOWN = Image(data="AAAA", media_type="image/png")
READ = Image(data="BBBB", media_type="image/jpeg")
CHAT = ChatRequest(
    model="m",
    messages=(
        Message(role=Role.USER, parts=(Text(text="look"), SHOWN, Text(text="here"))),
        Message(role=Role.ASSISTANT, parts=(ToolCall(id="c1", name="read", arguments="{}"),)),
        Message(role=Role.TOOL, parts=(ToolResult(call_id="c1", parts=(Text(text="read"), READ)),)),
    ),
)


def envelope_of(codec: Codec) -> Envelope:
    body = jsonx.encode({"model": "m", **codec.encode_request(CHAT)})
    return codec.read_envelope(Inbound(protocol=codec.name, body=body))


def test_it_finds_the_images_of_messages_and_of_tool_results_in_order(codec: Codec) -> None:
    found = codec.find_images(envelope_of(codec))

    assert [one.image for one in found] == [SHOWN, READ]
    assert len({one.path for one in found}) == 2
    assert "look" in found[0].near


def test_what_replaces_them_is_read_in_their_place_and_nothing_else_has_changed(codec: Codec) -> None:
    envelope = envelope_of(codec)
    first, second = codec.find_images(envelope)

    changed = codec.replace_images(
        envelope, {first.path: Text(text="[Image: a]"), second.path: Image(data="CCCC", media_type="image/gif")}
    )

    decoded = codec.decode_request(changed)
    assert decoded.messages[0].parts == (Text(text="look"), Text(text="[Image: a]"), Text(text="here"))
    (result,) = decoded.messages[2].parts
    assert isinstance(result, ToolResult)
    assert result.parts == (Text(text="read"), Image(data="CCCC", media_type="image/gif"))
    assert decoded.messages[1] == CHAT.messages[1]
    assert codec.decode_request(envelope) == CHAT
