"""Images as Ollama has them: base64 without a word about its type, which the first bytes tell."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core.request import Image
from iflow_cli_proxy.protocols.data_url import split_data_url

_BEGINNINGS: Final = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "Qk": "image/bmp",
}
_UNKNOWN: Final = "image/png"


def decode_image(data: str) -> Image:
    """A data URL is tolerated, as people paste them."""
    media_type, data = split_data_url(data)
    return Image(data=data, media_type=media_type or _type_of(data))


def _type_of(data: str) -> str:
    return next((word for start, word in _BEGINNINGS.items() if data.startswith(start)), _UNKNOWN)
