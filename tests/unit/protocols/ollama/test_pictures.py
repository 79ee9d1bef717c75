from base64 import b64encode

import pytest

from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.protocols.ollama.pictures import decode_image


@pytest.mark.parametrize(
    ("start", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"BM\x00\x00\x00\x00", "image/bmp"),
        (b"who knows", "image/png"),
    ],
)
def test_the_first_bytes_tell_the_type(start: bytes, media_type: str) -> None:
    data = b64encode(start + b"...").decode()

    assert decode_image(data) == Image(data=data, media_type=media_type)


def test_a_data_url_is_understood() -> None:
    assert decode_image("data:image/avif;base64,AAAA") == Image(data="AAAA", media_type="image/avif")
