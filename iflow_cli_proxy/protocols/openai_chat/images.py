"""Images in Chat Completions requests: where they stand, and the same request with something else in their place.

Works on the checked body itself and not on its canonical form, so that what stands around an image, known to us or not,
goes on as it was written. Refuses to fetch or describe anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import structs

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.base import Envelope, PlacedImage
from iflow_cli_proxy.protocols.data_url import data_url
from iflow_cli_proxy.protocols.openai_chat.request import decode_image

_KIND: Final = "image_url"


def find_images(envelope: Envelope) -> tuple[PlacedImage, ...]:
    found = []
    for number, message in enumerate(envelope.values["messages"]):
        places = list(_images_of(number, message))
        near = _text_of(message) if places else ""
        found += [PlacedImage(path=path, image=decode_image(part[_KIND]), near=near) for _, path, part in places]
    return tuple(found)


def replace_images(envelope: Envelope, parts: Mapping[str, Text | Image]) -> Envelope:
    messages = [_replaced(number, message, parts) for number, message in enumerate(envelope.values["messages"])]
    return structs.replace(
        envelope,
        fields={**envelope.fields, "messages": messages},
        values={**envelope.values, "messages": messages},
    )


def _images_of(number: int, message: Mapping[str, Json]) -> Iterator[tuple[int, str, Mapping[str, Json]]]:
    """The place of each image in its message, its path, and the part."""
    content = message.get("content")
    for place, part in enumerate(content if isinstance(content, list) else ()):
        if part["type"] == _KIND:
            path = f"messages[{number}].content[{place}].{_KIND}"
            yield place, path if isinstance(part[_KIND], str) else f"{path}.url", part


def _text_of(message: Mapping[str, Json]) -> str:
    return "\n".join(part.get("text") or "" for part in message["content"] if part["type"] == "text")


def _replaced(number: int, message: Mapping[str, Json], parts: Mapping[str, Text | Image]) -> Mapping[str, Json]:
    wanted = [(place, part, parts[path]) for place, path, part in _images_of(number, message) if path in parts]
    if not wanted:
        return message
    content = list(message["content"])
    for place, part, other in wanted:
        content[place] = _encode(part, other)
    return {**message, "content": content}


def _encode(part: Mapping[str, Json], other: Text | Image) -> Mapping[str, Json]:
    if isinstance(other, Text):
        return {"type": "text", "text": other.text}
    url = other.url or data_url(other.media_type, other.data)
    return {**part, _KIND: url if isinstance(part[_KIND], str) else {**part[_KIND], "url": url}}
