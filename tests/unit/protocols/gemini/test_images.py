from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.gemini.images import find_images, replace_images
from iflow_cli_proxy.protocols.gemini.request import read_envelope

PICTURE = {"inlineData": {"mimeType": "image/png", "data": "AA"}}
LINKED = {"fileData": {"mimeType": "image/png", "fileUri": "https://e.org/a"}}
SOUND = {"inlineData": {"mimeType": "audio/wav", "data": "AA"}}
RESULT = {"functionResponse": {"name": "f", "response": {"output": "read"}, "parts": [PICTURE]}}
OTHER = Image(data="BB", media_type="image/gif")


def envelope() -> Envelope:
    contents = [
        {"role": "user", "parts": [{"text": "look"}, PICTURE, SOUND, {"text": "here"}, LINKED]},
        {"role": "model"},
        {"role": "user", "parts": [RESULT, PICTURE]},
    ]
    return read_envelope(Inbound(protocol="gemini", body=jsonx.encode({"model": "m", "contents": contents})))


def test_every_image_is_found_in_order_with_its_path() -> None:
    found = find_images(envelope())

    assert [one.path for one in found] == [
        "contents[0].parts[1].inlineData",
        "contents[0].parts[4].fileData",
        "contents[2].parts[0].functionResponse.parts[0].inlineData",
        "contents[2].parts[1].inlineData",
    ]
    assert found[0].near == "look\nhere"
    assert found[1].image == Image(url="https://e.org/a", media_type="image/png")


def test_others_stand_in_their_place_and_the_rest_is_untouched() -> None:
    before = envelope()
    paths = [one.path for one in find_images(before)]

    after = replace_images(before, {paths[0]: Text(text="a cat"), paths[1]: OTHER, paths[2]: OTHER})

    first, _, last = after.values["contents"]
    blob = {"inlineData": {"mimeType": "image/gif", "data": "BB"}}
    assert first["parts"] == [{"text": "look"}, {"text": "a cat"}, SOUND, {"text": "here"}, blob]
    assert last["parts"][0]["functionResponse"]["parts"] == [blob]
    assert last["parts"][1] == PICTURE
    assert after.fields["contents"] == after.values["contents"]
    assert before.values["contents"][0]["parts"][1] == PICTURE


def test_words_for_a_tools_picture_stand_among_its_words() -> None:
    before = envelope()

    after = replace_images(before, {find_images(before)[2].path: Text(text="a cat")})

    result = after.values["contents"][2]["parts"][0]["functionResponse"]
    assert result == {"name": "f", "response": {"output": "read\na cat"}, "parts": []}
