"""Images in Messages requests: where they stand, and the same request with something else in their place.

Works on the checked body itself and not on its canonical form, so that what stands around an image, known to us or not,
goes on as it was written. An image that is only an id of Anthropic's is none here. Refuses to fetch or describe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import structs

from iflow_cli_proxy.core.jsonx import Json, without
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.anthropic.blocks import decode_image, encode_image
from iflow_cli_proxy.protocols.base import Envelope, PlacedImage

_RESULT: Final = "tool_result"


def find_images(envelope: Envelope) -> tuple[PlacedImage, ...]:
    found = []
    for number, message in enumerate(envelope.values["messages"]):
        places = list(_images_of(message["content"], f"messages[{number}].content"))
        near = _text_of(message["content"]) if places else ""
        found += [PlacedImage(path=path, image=image, near=near) for path, image in places]
    return tuple(found)


def replace_images(envelope: Envelope, parts: Mapping[str, Text | Image]) -> Envelope:
    messages = [
        {**message, "content": _replaced(message["content"], f"messages[{number}].content", parts)}
        for number, message in enumerate(envelope.values["messages"])
    ]
    return structs.replace(
        envelope,
        fields={**envelope.fields, "messages": messages},
        values={**envelope.values, "messages": messages},
    )


def _images_of(content: Json, path: str) -> Iterator[tuple[str, Image]]:
    """The path of the URL or the data of each, those in results included."""
    for place, block in enumerate(content if isinstance(content, list) else ()):
        here = f"{path}[{place}]"
        if block["type"] == _RESULT:
            yield from _images_of(block.get("content"), f"{here}.content")
        elif block["type"] == "image" and (image := decode_image(block)) is not None:
            yield _path_of(image, here), image


def _path_of(image: Image, block_path: str) -> str:
    return f"{block_path}.source.{'url' if image.url else 'data'}"


def _text_of(content: Json) -> str:
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = [
        block["text"] if block["type"] == "text" else _text_of(block.get("content"))
        for block in content
        if block["type"] in ("text", _RESULT)
    ]
    return "\n".join(text for text in texts if text)


def _replaced(content: Json, path: str, parts: Mapping[str, Text | Image]) -> Json:
    if not isinstance(content, list):
        return content
    return [_exchanged(block, f"{path}[{place}]", parts) for place, block in enumerate(content)]


def _exchanged(block: Mapping[str, Json], path: str, parts: Mapping[str, Text | Image]) -> Mapping[str, Json]:
    if block["type"] == _RESULT and isinstance(block.get("content"), list):
        return {**block, "content": _replaced(block["content"], f"{path}.content", parts)}
    image = decode_image(block) if block["type"] == "image" else None
    other = parts.get(_path_of(image, path)) if image else None
    if other is None:
        return block
    new = {"type": "text", "text": other.text} if isinstance(other, Text) else encode_image(other)
    return {**without(block, "type", "source"), **new}
