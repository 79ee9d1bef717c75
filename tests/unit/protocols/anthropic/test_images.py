from typing import Any

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.anthropic.images import find_images, replace_images
from iflow_cli_proxy.protocols.anthropic.request import read_envelope
from iflow_cli_proxy.protocols.base import Envelope, Inbound

SHOWN: dict[str, Any] = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
    "cache_control": {"type": "ephemeral"},
}
LINKED: dict[str, Any] = {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}
FILED: dict[str, Any] = {"type": "image", "source": {"type": "file", "file_id": "f"}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "no pictures"},
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "read"}, SHOWN]},
            {"type": "tool_result", "tool_use_id": "t", "content": "text only"},
            {"type": "text", "text": "look"},
            LINKED,
            FILED,
        ],
    },
]


def envelope() -> Envelope:
    return read_envelope(Inbound(protocol="anthropic", body=jsonx.encode({"model": "m", "messages": MESSAGES})))


def test_images_are_found_in_order_with_the_text_around_them() -> None:
    found = find_images(envelope())

    assert [(one.path, one.image, one.near) for one in found] == [
        (
            "messages[1].content[0].content[1].source.data",
            Image(data="AAAA", media_type="image/png"),
            "read\ntext only\nlook",
        ),
        ("messages[1].content[3].source.url", Image(url="https://example.org/a.png"), "read\ntext only\nlook"),
    ]


def test_what_replaces_one_keeps_what_stood_around_it() -> None:
    before = envelope()
    first, second = find_images(before)

    after = replace_images(
        before, {first.path: Text(text="a dot"), second.path: Image(data="BBBB", media_type="image/gif")}
    )

    content = after.values["messages"][1]["content"]
    assert content[0]["content"][1] == {"type": "text", "text": "a dot", "cache_control": {"type": "ephemeral"}}
    assert content[3] == {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/gif", "data": "BBBB"},
    }
    assert content[1:3] + content[4:] == [*MESSAGES[1]["content"][1:3], FILED]
    assert after.fields["messages"] == after.values["messages"]
    assert before.values["messages"] == MESSAGES


def test_replacing_nothing_changes_nothing() -> None:
    assert replace_images(envelope(), {}).values["messages"] == MESSAGES
