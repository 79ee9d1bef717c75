"""The vision bridge: a model that sees nothing is told what is in the images, by a model that does.

Every image becomes a text in its place. What was described once is remembered, for agents send the same images with
every turn. Knows the describing model only as a function; `describing.py` makes one of a gateway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from iflow_cli_proxy.core.errors import (
    Blame,
    CapacityError,
    ConfigError,
    EmptyAnswer,
    GatewayError,
    InvalidRequest,
    UnknownModel,
    UpstreamError,
)
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.images import check_count, check_sizes, each
from iflow_cli_proxy.protocols.base import Codec, Envelope, PlacedImage
from iflow_cli_proxy.routing.catalog import Catalog

SETTING: Final = "conveniences.vision_model"
_REMEMBERED: Final = 256
_LONGEST_TEXT: Final = 16_000
_LONGEST_HINT: Final = 2_000


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a vision model says of one image, and what saying it cost."""

    text: str
    usage: Usage | None = None


Describe: TypeAlias = Callable[[Image, str], Awaitable[Description]]
"""An image and the text it stands beside in; raises GatewayError."""


class Bridged(msgspec.Struct, frozen=True, kw_only=True):
    """A request that a model without eyes can take."""

    envelope: Envelope
    images: int = 0
    """How many were replaced by texts."""
    asked: int = 0
    """How many of them the vision model was asked about now; the others were remembered."""
    usage: Usage = Usage()
    """Of the asking alone, apart from the answer's own."""

    def note(self, model: str) -> str:
        """For a header or a log line; empty when nothing was changed."""
        return f"{self.images} described by {model}" if self.images else ""


def sees_nothing(catalog: Catalog, model: str) -> bool:
    """Whether a model is known to take no images; one that nothing but the name is known of may well take them."""
    row, _ = catalog.split(model)
    is_known = row is not None and bool(row.context_tokens or row.output_tokens or row.thinking != "no")
    return row is not None and is_known and not row.has_vision


class VisionBridge:
    """Lives as long as its settings; one for all requests, which share what it remembers."""

    def __init__(self, model: str, describe: Describe, *, remembers: int = _REMEMBERED) -> None:
        self.model = model
        self._describe = describe
        self._remembers = remembers
        self._texts: dict[bytes, str] = {}
        """By digest of image and hint, the least recently used first."""

    async def bridged(self, codec: Codec, envelope: Envelope) -> Bridged:
        """The same request with texts for its images. One that asks the vision model itself is left as it is.

        Raises:
            GatewayError: an image could not be described; nothing of it went to the model that was asked for.
        """
        images = codec.find_images(envelope) if envelope.model != self.model else ()
        if not images:
            return Bridged(envelope=envelope)
        check_sizes(images)
        keys = {one.path: _digest(one) for one in images}
        texts = {key: self._texts[key] for key in keys.values() if key in self._texts}
        self._remember(texts)
        new: dict[bytes, PlacedImage] = {}
        for one in images:
            if keys[one.path] not in texts:
                new.setdefault(keys[one.path], one)
        check_count(len(new), "described")
        told = dict(await each(self._asked, tuple(new.items())))
        texts |= {key: description.text for key, description in told.items()}
        return Bridged(
            envelope=codec.replace_images(
                envelope, {path: Text(text=f"[Image: {texts[key]}]") for path, key in keys.items()}
            ),
            images=len(images),
            asked=len(told),
            usage=sum((one.usage for one in told.values() if one.usage is not None), Usage()),
        )

    async def _asked(self, item: tuple[bytes, PlacedImage]) -> tuple[bytes, Description]:
        """Remembered at once, so that it is not paid for again when another image of its request fails."""
        key, one = item
        try:
            description = await self._describe(one.image, one.near[:_LONGEST_HINT])
            text = description.text.strip()[:_LONGEST_TEXT]
            if not text:
                raise EmptyAnswer("It answered without a word.")
        except GatewayError as error:
            failure = self._failure(error)
            failure.code = "image_not_described"
            failure.param = failure.param or one.path
            raise failure from error
        self._remember({key: text})
        return key, Description(text=text, usage=description.usage)

    def _failure(self, error: GatewayError) -> GatewayError:
        """The same trouble as this request's own. None of them is worth a second attempt: the asking had its own."""
        message = f"The vision model `{self.model}` could not describe an image: {error.message}"
        match error:
            case UnknownModel() | ConfigError():
                return ConfigError(message, param=SETTING, hint=f"correct {SETTING}")
            case CapacityError():
                return CapacityError(message, hint=error.hint, retry_after_s=error.retry_after_s)
            case _ if error.blame is Blame.CLIENT:
                return InvalidRequest(message, hint="leave the image out, or ask a model that sees")
            case _:
                return UpstreamError(message, hint=error.hint)

    def _remember(self, texts: Mapping[bytes, str]) -> None:
        for key, text in texts.items():
            self._texts.pop(key, None)
            self._texts[key] = text
        for key in list(self._texts)[: max(0, len(self._texts) - self._remembers)]:
            del self._texts[key]


def _digest(one: PlacedImage) -> bytes:
    """What tells one asking from another: the image, and the text that says what to look for."""
    digest = sha256()
    for part in (one.image.url, one.image.data, one.near[:_LONGEST_HINT]):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.digest()
