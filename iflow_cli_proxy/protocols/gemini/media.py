"""Pictures, sound and files: `inlineData` and `fileData`, to canonical parts and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import Audio, File, Image

_FORMATS: Final = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}
"""Kinds of sound by the names that other protocols have for them."""


def decode_media(part: Mapping[str, Json]) -> Image | Audio | File | None:
    """None for a part that holds neither."""
    if (blob := part.get("inlineData")) is not None:
        return _decode_blob(blob["mimeType"], blob["data"], blob.get("displayName") or "")
    if (file := part.get("fileData")) is None:
        return None
    media_type, url = file.get("mimeType") or "", file["fileUri"]
    if media_type.startswith("image/"):
        return Image(url=url, media_type=media_type)
    return File(url=url, media_type=media_type, name=file.get("displayName") or "")


def _decode_blob(media_type: str, data: str, name: str) -> Image | Audio | File:
    kind, _, word = media_type.partition("/")
    if kind == "image":
        return Image(data=data, media_type=media_type)
    if kind == "audio":
        return Audio(data=data, format=_FORMATS.get(word, word))
    return File(data=data, media_type=media_type, name=name)


def encode_media(part: Image | Audio | File) -> dict[str, Json]:
    match part:
        case Audio():
            return {"inlineData": {"mimeType": f"audio/{part.format}", "data": part.data}}
        case Image(url="") | File(url=""):
            return {"inlineData": {"mimeType": part.media_type or "application/octet-stream", "data": part.data}}
        case Image() | File():
            kind = {"mimeType": part.media_type} if part.media_type else {}
            return {"fileData": {**kind, "fileUri": part.url}}
