"""Images in Responses requests: where they stand, and the same request with something else in their place.

Works on the checked body itself and not on its canonical form, so that what stands around an image, known to us or not,
goes on as it was written. Refuses to fetch or describe anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import structs

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.base import Envelope, PlacedImage
from iflow_cli_proxy.protocols.data_url import data_url
from iflow_cli_proxy.protocols.openai_responses.turns import Item, decode_image
from iflow_cli_proxy.protocols.openai_responses.wire import type_of

_KIND: Final = "input_image"
_URL: Final = "image_url"
_HOLDERS: Final = {
    "message": "content",
    "function_call_output": "output",
    "custom_tool_call_output": "output",
    "local_shell_call_output": "output",
}
"""Where an item has parts that were checked."""


class _Place(NamedTuple):
    holder: str
    at: int
    path: str
    part: Item


def find_images(envelope: Envelope) -> tuple[PlacedImage, ...]:
    found = []
    for number, item in enumerate(_items(envelope)):
        places = list(_images_of(number, item))
        near = _text_of(item) if places else ""
        found += [PlacedImage(path=one.path, image=decode_image(one.part), near=near) for one in places]
    return tuple(found)


def replace_images(envelope: Envelope, parts: Mapping[str, Text | Image]) -> Envelope:
    items = [_replaced(number, item, parts) for number, item in enumerate(_items(envelope))]
    if not items:
        return envelope
    return structs.replace(
        envelope, fields={**envelope.fields, "input": items}, values={**envelope.values, "input": items}
    )


def _items(envelope: Envelope) -> Sequence[Item]:
    given = envelope.values["input"]
    return given if isinstance(given, list) else ()


def _parts_of(item: Item) -> tuple[str, Sequence[Item]]:
    holder = _HOLDERS.get(type_of(item), "")
    parts = item.get(holder)
    return holder, parts if isinstance(parts, list) else ()


def _images_of(number: int, item: Item) -> Iterator[_Place]:
    holder, parts = _parts_of(item)
    for at, part in enumerate(parts):
        if part["type"] == _KIND and part.get(_URL):
            yield _Place(holder, at, f"input[{number}].{holder}[{at}].{_URL}", part)


def _text_of(item: Item) -> str:
    return "\n".join(part["text"] for part in _parts_of(item)[1] if part.get("text"))


def _replaced(number: int, item: Item, parts: Mapping[str, Text | Image]) -> Item:
    for place in _images_of(number, item):
        if place.path in parts:
            inner: list[Json] = list(item[place.holder])
            inner[place.at] = _encode(place.part, parts[place.path])
            item = {**item, place.holder: inner}
    return item


def _encode(part: Item, other: Text | Image) -> Item:
    if isinstance(other, Text):
        return {"type": "input_text", "text": other.text}
    return {**part, _URL: other.url or data_url(other.media_type, other.data)}
