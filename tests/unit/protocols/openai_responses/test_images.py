from copy import deepcopy
from typing import Any

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.base import Envelope
from iflow_cli_proxy.protocols.openai_responses import CODEC
from iflow_cli_proxy.protocols.openai_responses.images import find_images, replace_images
from tests.support.goldens import inbound

REMOTE = "https://images.example/a.png"
PICTURE = {"type": "input_image", "image_url": REMOTE, "detail": "high"}
INLINE = {"type": "input_image", "image_url": "data:image/png;base64,YWJj"}
ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "input_text", "text": "look"}, PICTURE]},
    {"type": "reasoning", "summary": [], "content": [{"type": "input_image", "image_url": REMOTE, "text": "x"}]},
    {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "a.png"}, INLINE]},
    {"type": "computer_call_output", "output": [{"type": "input_image", "image_url": REMOTE}]},
    {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]},
]


def asking(given: Any) -> Envelope:
    return CODEC.read_envelope(inbound(CODEC, jsonx.encode({"model": "m", "input": given, "odd": {"y": 1.5}})))


def test_images_of_messages_and_of_outputs_are_found_with_their_path_and_the_text_beside_them() -> None:
    first, second = find_images(asking(ITEMS))

    assert first.path == "input[0].content[1].image_url"
    assert (first.image, first.near) == (Image(url=REMOTE, detail="high"), "look")
    assert second.path == "input[3].output[1].image_url"
    assert (second.image, second.near) == (Image(data="YWJj", media_type="image/png"), "a.png")


def test_only_what_is_replaced_changes() -> None:
    envelope = asking(ITEMS)
    before = deepcopy(envelope.values)

    changed = replace_images(
        envelope,
        {
            "input[0].content[1].image_url": Image(data="AAAA", media_type="image/gif"),
            "input[3].output[1].image_url": Text(text="[Image: a]"),
        },
    )

    items = changed.values["input"]
    assert items[0]["content"][1] == PICTURE | {"image_url": "data:image/gif;base64,AAAA"}
    assert items[3]["output"] == [{"type": "input_text", "text": "a.png"}, {"type": "input_text", "text": "[Image: a]"}]
    assert [items[at] for at in (1, 2, 4, 5)] == [ITEMS[at] for at in (1, 2, 4, 5)]
    assert jsonx.decode(jsonx.encode(changed.fields["input"])) == items
    assert changed.fields["odd"] is envelope.fields["odd"]
    assert envelope.values == before


def test_a_string_holds_no_images() -> None:
    envelope = asking(REMOTE)

    assert find_images(envelope) == ()
    assert replace_images(envelope, {}) is envelope
