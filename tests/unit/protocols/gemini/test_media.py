import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import Audio, File, Image
from iflow_cli_proxy.protocols.gemini.media import decode_media, encode_media


@pytest.mark.parametrize(
    ("wire", "part"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "AA"}}, Image(data="AA", media_type="image/png")),
        ({"inlineData": {"mimeType": "audio/wav", "data": "AA"}}, Audio(data="AA", format="wav")),
        ({"inlineData": {"mimeType": "application/pdf", "data": "AA"}}, File(data="AA", media_type="application/pdf")),
        (
            {"fileData": {"mimeType": "image/png", "fileUri": "https://e.org/a"}},
            Image(url="https://e.org/a", media_type="image/png"),
        ),
        ({"fileData": {"fileUri": "https://e.org/a"}}, File(url="https://e.org/a")),
    ],
)
def test_media_go_in_and_come_out(wire: Json, part: Image | Audio | File) -> None:
    assert decode_media(wire) == part
    assert encode_media(part) == wire


def test_sound_has_the_name_other_protocols_know() -> None:
    assert decode_media({"inlineData": {"mimeType": "audio/mpeg", "data": "AA"}}) == Audio(data="AA", format="mp3")


def test_a_file_keeps_its_name_and_an_unknown_type_is_said_to_be_one() -> None:
    named = {"inlineData": {"mimeType": "text/plain", "data": "AA", "displayName": "a.txt"}}

    assert decode_media(named) == File(data="AA", media_type="text/plain", name="a.txt")
    assert encode_media(File(data="AA")) == {"inlineData": {"mimeType": "application/octet-stream", "data": "AA"}}


def test_other_parts_hold_none() -> None:
    assert decode_media({"text": "hi"}) is None
