"""The vision bridge: a model that sees nothing is told what is in the images, by a model that does.

Every image becomes a text in its place. What was described once is remembered, for agents send the same images with
every turn. Knows the describing model only as a function; `describing.py` makes one of a gateway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from copy import copy
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
from iflow_cli_proxy.gateway.deadline import Deadline
from iflow_cli_proxy.gateway.images import MOST_IMAGES, check_sizes, each
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.protocols.base import Codec, Envelope, PlacedImage
from iflow_cli_proxy.routing.catalog import Catalog

SETTING: Final = "conveniences.vision_model"
_REMEMBERED: Final = 256
_LONGEST_TEXT: Final = 16_000
_LONGEST_HINT: Final = 2_000
_LEFT_OUT: Final = "an earlier one, left out because there are many newer ones"


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a vision model says of one image, and what saying it cost."""

    text: str
    usage: Usage | None = None


Describe: TypeAlias = Callable[[Image, str, Exchange], Awaitable[Description]]
"""An image, the text it stands beside, and the request it came with, which it is described for; raises GatewayError."""


class Bridged(msgspec.Struct, frozen=True, kw_only=True):
    """A request that a model without eyes can take."""

    envelope: Envelope
    images: int = 0
    """How many were replaced by texts."""
    asked: int = 0
    """How many of them the vision model was asked about now; the others were remembered or left out."""
    left_out: int = 0
    """How many of them nobody described: there were newer ones enough."""
    usage: Usage = Usage()
    """Of the asking alone, apart from the answer's own."""

    def note(self, model: str) -> str:
        """For a header or a log line; empty when nothing was changed."""
        described = f"{self.images - self.left_out} described by {model}" if self.images else ""
        return f"{described}, {self.left_out} left out" if self.left_out else described


def sees_nothing(catalog: Catalog, model: str) -> bool:
    """Whether somebody says of a model that it takes no images; one that nobody says it of may well take them."""
    row, _ = catalog.split(model)
    return row is not None and row.has_vision is False


class VisionBridge:
    """Lives as long as its settings; one for all requests, which share what it remembers.

    A request crosses it `on_behalf_of` itself, at the expense of its caller and within its time.
    """

    def __init__(self, model: str, describe: Describe, *, remembers: int = _REMEMBERED) -> None:
        self.model = model
        self._describe = describe
        self._remembers = remembers
        self._texts: dict[bytes, str] = {}
        """By digest of image and hint, the least recently used first."""
        self._asker = Exchange(request_id="", protocol="", started_at=0.0)
        self._deadline: Deadline | None = None

    def on_behalf_of(self, asker: Exchange, deadline: Deadline) -> VisionBridge:
        """The same bridge for one request; what is remembered is shared with all others."""
        mine = copy(self)
        mine._asker, mine._deadline = asker, deadline
        return mine

    async def bridged(self, codec: Codec, envelope: Envelope) -> Bridged:
        """The same request with texts for its images. One that asks the vision model itself is left as it is.

        Of more images than are described for one request the first are left out, for a conversation that has grown past
        the limit could never go on otherwise.

        Raises:
            GatewayError: an image could not be described, or not in time; nothing of it went to the model that was
                asked for.
        """
        if self._deadline is None:
            return await self._bridged(codec, envelope)
        async with self._deadline.within_total():
            found = await self._bridged(codec, envelope)
        self._asker.described = found.note(self.model)
        return found

    async def _bridged(self, codec: Codec, envelope: Envelope) -> Bridged:
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
        left_out = tuple(new)[:-MOST_IMAGES]
        for key in left_out:
            del new[key]
        told = dict(await each(self._asked, tuple(new.items())))
        texts |= {key: description.text for key, description in told.items()} | dict.fromkeys(left_out, _LEFT_OUT)
        return Bridged(
            envelope=codec.replace_images(
                envelope, {path: Text(text=f"[Image: {texts[key]}]") for path, key in keys.items()}
            ),
            images=len(images),
            asked=len(told),
            left_out=sum(key in left_out for key in keys.values()),
            usage=sum((one.usage for one in told.values() if one.usage is not None), Usage()),
        )

    async def _asked(self, item: tuple[bytes, PlacedImage]) -> tuple[bytes, Description]:
        """Remembered at once, so that it is not paid for again when another image of its request fails."""
        key, one = item
        try:
            description = await self._describe(one.image, one.near[:_LONGEST_HINT], self._asker)
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
