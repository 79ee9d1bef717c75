from __future__ import annotations

from copy import deepcopy

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.openai_chat.images import find_images, replace_images
from tests.support.images import asking, content_of, data_url, image, text

REMOTE = "https://images.example/a.png"
OTHER = {"type": "video_url", "video_url": {"url": "https://images.example/v.mp4"}}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": [text("Read a.png"), OTHER, image(data_url(b"abc"))]}


def test_every_image_is_found_with_its_path_and_the_text_beside_it() -> None:
    envelope = asking(text("look"), image(REMOTE, detail="high"), text("closely"), more=[RESULT])

    first, second = find_images(envelope)

    assert first.path == "messages[0].content[1].image_url.url"
    assert (first.image, first.near) == (Image(url=REMOTE, detail="high"), "look\nclosely")
    assert second.path == "messages[1].content[2].image_url.url"
    assert (second.image, second.near) == (Image(data="YWJj", media_type="image/png"), "Read a.png")


def test_an_image_may_be_a_url_alone() -> None:
    (one,) = find_images(asking({"type": "image_url", "image_url": REMOTE}))

    assert (one.path, one.image.url) == ("messages[0].content[0].image_url", REMOTE)


def test_texts_hold_no_images() -> None:
    plain = [{"role": "user", "content": REMOTE}, {"role": "assistant", "content": None, "reasoning_content": "hm"}]
    assert find_images(asking(text(REMOTE), more=plain)) == ()


def test_only_what_is_replaced_changes() -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f"}}], "x": 1}
    envelope = asking(text("look"), image(REMOTE, detail="high"), image(), more=[call, RESULT], top_k=4, odd={"y": 1.5})
    before = deepcopy(envelope.values)
    found = find_images(envelope)

    changed = replace_images(
        envelope, {found[0].path: Image(data="AAAA", media_type="image/gif"), found[2].path: Text(text="[Image: a]")}
    )

    data = "data:image/gif;base64,AAAA"
    assert content_of(changed) == [text("look"), image(data, detail="high"), image()]
    assert content_of(changed, 2) == [text("Read a.png"), OTHER, text("[Image: a]")]
    assert changed.values["messages"][1] == call
    assert jsonx.decode(jsonx.encode(changed.fields["messages"])) == changed.values["messages"]
    assert {name: value for name, value in changed.values.items() if name != "messages"} == {
        name: value for name, value in before.items() if name != "messages"
    }
    assert changed.fields["odd"] is envelope.fields["odd"]
    assert (changed.model, changed.is_stream) == (envelope.model, envelope.is_stream)
    assert envelope.values == before


def test_a_url_alone_stays_one() -> None:
    envelope = asking({"type": "image_url", "image_url": REMOTE})

    changed = replace_images(envelope, {"messages[0].content[0].image_url": Image(url="https://b.example/")})

    assert content_of(changed) == [{"type": "image_url", "image_url": "https://b.example/"}]
