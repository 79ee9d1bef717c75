"""Images in Ollama requests: where they stand, and the same request with something else in their place.

Works on the checked body itself. An image that becomes words becomes part of its message's text, after the rest of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.base import Envelope, PlacedImage
from iflow_cli_proxy.protocols.ollama.pictures import decode_image
from iflow_cli_proxy.protocols.ollama.request import GENERATE


def find_images(envelope: Envelope) -> tuple[PlacedImage, ...]:
    values = envelope.values
    if envelope.flavor == GENERATE:
        return tuple(_images_of(values, "", "prompt"))
    messages = enumerate(values.get("messages") or ())
    return tuple(image for at, message in messages for image in _images_of(message, f"messages[{at}].", "content"))


def replace_images(envelope: Envelope, parts: Mapping[str, Text | Image]) -> Envelope:
    values = envelope.values
    if envelope.flavor == GENERATE:
        changed = {
            name: value
            for name, value in _replaced(values, "", "prompt", parts).items()
            if name in ("prompt", "images")
        }
    else:
        messages = enumerate(values.get("messages") or ())
        changed = {"messages": [_replaced(message, f"messages[{at}].", "content", parts) for at, message in messages]}
    return structs.replace(envelope, fields={**envelope.fields, **changed}, values={**values, **changed})


def _images_of(holder: Mapping[str, Json], path: str, text: str) -> list[PlacedImage]:
    near = holder.get(text) or ""
    return [
        PlacedImage(path=f"{path}images[{at}]", image=decode_image(data), near=near)
        for at, data in enumerate(holder.get("images") or ())
    ]


def _replaced(
    holder: Mapping[str, Json], path: str, text: str, parts: Mapping[str, Text | Image]
) -> Mapping[str, Json]:
    if not holder.get("images"):
        return holder
    images, words = [], [holder[text]] if holder.get(text) else []
    for at, data in enumerate(holder["images"]):
        other = parts.get(f"{path}images[{at}]")
        if isinstance(other, Text):
            words.append(other.text)
        else:
            images.append(data if other is None else other.data)
    return {**holder, text: "\n".join(words), "images": images}
