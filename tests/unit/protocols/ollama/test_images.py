from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.ollama.images import find_images, replace_images
from iflow_cli_proxy.protocols.ollama.request import read_envelope

PNG, JPEG = "iVBORw0KGgoAAAA=", "/9j/4AAQ"
CHAT = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "look", "images": [PNG, JPEG]},
        {"role": "assistant", "content": "so"},
        {"role": "tool", "content": "read", "images": [PNG]},
    ],
}
OTHER = Image(data="R0lGODlh", media_type="image/gif")


def envelope(body: object, form: str = "chat") -> Envelope:
    return read_envelope(Inbound(protocol="ollama", body=jsonx.encode(body), path={"form": form}))


def test_every_image_is_found_in_order_with_its_path() -> None:
    found = find_images(envelope(CHAT))

    assert [one.path for one in found] == ["messages[0].images[0]", "messages[0].images[1]", "messages[2].images[0]"]
    assert [one.image.media_type for one in found] == ["image/png", "image/jpeg", "image/png"]
    assert [one.near for one in found] == ["look", "look", "read"]


def test_others_stand_in_their_place_and_words_behind_the_text() -> None:
    before = envelope(CHAT)

    after = replace_images(before, {"messages[0].images[0]": Text(text="a cat"), "messages[2].images[0]": OTHER})

    first, second, third = after.values["messages"]
    assert first == {"role": "user", "content": "look\na cat", "images": [JPEG]}
    assert second is before.values["messages"][1]
    assert third["images"] == ["R0lGODlh"]
    assert after.fields["messages"] == after.values["messages"]
    assert before.values["messages"][0]["content"] == "look"


def test_a_bare_generation_has_its_images_beside_the_prompt() -> None:
    before = envelope({"model": "m", "prompt": "look", "images": [PNG]}, "generate")

    (found,) = find_images(before)
    after = replace_images(before, {found.path: Text(text="a cat")})

    assert (found.path, found.near) == ("images[0]", "look")
    assert (after.values["prompt"], after.values["images"]) == ("look\na cat", [])
    assert set(after.fields) == {"prompt", "images"}


def test_no_image_is_no_change() -> None:
    assert find_images(envelope({"model": "m"})) == ()
    assert replace_images(envelope({"model": "m", "prompt": "x"}, "generate"), {}).values["prompt"] == "x"
