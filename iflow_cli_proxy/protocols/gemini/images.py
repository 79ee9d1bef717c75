"""Images in Gemini requests: where they stand, and the same request with something else in their place.

Works on the checked body itself and not on its canonical form. Refuses to fetch or describe anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.protocols.base import Envelope, PlacedImage
from iflow_cli_proxy.protocols.gemini.media import decode_media, encode_media
from iflow_cli_proxy.protocols.gemini.results import with_text


def find_images(envelope: Envelope) -> tuple[PlacedImage, ...]:
    found = []
    for number, content in enumerate(envelope.values["contents"]):
        parts = content.get("parts") or ()
        near = "\n".join(part["text"] for part in parts if part.get("text"))
        for path, image in _images_of(parts, f"contents[{number}].parts"):
            found.append(PlacedImage(path=path, image=image, near=near))
    return tuple(found)


def replace_images(envelope: Envelope, parts: Mapping[str, Text | Image]) -> Envelope:
    contents = [
        {**content, "parts": _replaced(content["parts"], f"contents[{number}].parts", parts)}
        if content.get("parts")
        else content
        for number, content in enumerate(envelope.values["contents"])
    ]
    return structs.replace(
        envelope,
        fields={**envelope.fields, "contents": contents},
        values={**envelope.values, "contents": contents},
    )


def _images_of(parts: Sequence[Mapping[str, Json]], path: str) -> Iterator[tuple[str, Image]]:
    for at, part in enumerate(parts):
        if isinstance(image := decode_media(part), Image):
            yield f"{path}[{at}].{_field(part)}", image
        elif (result := part.get("functionResponse")) is not None:
            yield from _images_of(result.get("parts") or (), f"{path}[{at}].functionResponse.parts")


def _field(part: Mapping[str, Json]) -> str:
    return "inlineData" if part.get("inlineData") is not None else "fileData"


def _replaced(parts: Sequence[Mapping[str, Json]], path: str, others: Mapping[str, Text | Image]) -> list[Json]:
    out: list[Json] = []
    for at, part in enumerate(parts):
        other = others.get(f"{path}[{at}].{_field(part)}")
        result = part.get("functionResponse")
        if isinstance(other, Text):
            out.append({"text": other.text})
        elif other is not None:
            out.append(encode_media(other))
        elif result is not None and result.get("parts"):
            out.append({**part, "functionResponse": _with_other_parts(result, f"{path}[{at}]", others)})
        else:
            out.append(part)
    return out


def _with_other_parts(result: Mapping[str, Json], path: str, others: Mapping[str, Text | Image]) -> Json:
    """A result's own parts are never texts, so a text goes where its other words are."""
    parts, response = [], result.get("response")
    for part in _replaced(result["parts"], f"{path}.functionResponse.parts", others):
        if "text" in part:
            response = with_text(response, part["text"])
        else:
            parts.append(part)
    return {**result, "response": response, "parts": parts}
