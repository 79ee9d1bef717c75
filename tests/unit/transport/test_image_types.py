from __future__ import annotations

import pytest

from iflow_cli_proxy.transport.image_types import HEAD_BYTES, TYPES, media_type_of
from tests.support.images import BMP, GIF, HTML, JPEG, PNG, SVG, WEBP

KINDS = {"image/png": PNG, "image/jpeg": JPEG, "image/gif": GIF, "image/webp": WEBP, "image/bmp": BMP}


@pytest.mark.parametrize(("media_type", "data"), KINDS.items())
def test_a_picture_is_known_by_its_first_bytes(media_type: str, data: bytes) -> None:
    assert media_type_of(data[:HEAD_BYTES]) == media_type
    assert media_type in TYPES


@pytest.mark.parametrize(("media_type", "data"), KINDS.items())
def test_and_not_by_fewer_or_later_ones(media_type: str, data: bytes) -> None:
    assert media_type_of(data[:2]) == ""
    assert media_type_of(b" " + data) == ""


@pytest.mark.parametrize(
    "data",
    [b"", SVG, HTML, b"<?xml version='1.0'?>" + SVG, b"BM is how this text begins, and on it goes", b"RIFF....WAVEfmt ",
     b"%PDF-1.7", b"PK\3\4", b"\0\0\0\x1cftypavif", b"\x1f\x8b\x08" + PNG, b"GIF88a" + bytes(20), b"{}" * 20],
)  # fmt: skip
def test_i25_anything_else_is_no_picture(data: bytes) -> None:
    assert media_type_of(data[:HEAD_BYTES]) == ""
