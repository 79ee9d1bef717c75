"""What most codecs have in common, so that each says only what is its own.

Knows no protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import Image, Text
from iflow_cli_proxy.core.sse import EVENT_STREAM, Framer
from iflow_cli_proxy.protocols.base import Codec, Envelope, PlacedImage, Voice


class UsualCodec:
    """Of a protocol that is translated: it speaks for itself, mends nothing, knows no images and gives one answer."""

    is_passed_on: bool = False
    picture_marks: tuple[bytes, ...] = ()
    end_marker: bytes = b""

    def answer_at_once(self, envelope: Envelope, now: float) -> bytes | None:
        return None

    def voice(self: Codec, envelope: Envelope) -> Voice:
        return self

    def repair(self, envelope: Envelope) -> tuple[Envelope, tuple[Note, ...]]:
        return envelope, ()

    def find_images(self, envelope: Envelope) -> tuple[PlacedImage, ...]:
        return ()

    def replace_images(self, envelope: Envelope, parts: Mapping[str, Text | Image]) -> Envelope:
        return envelope

    def count_choices(self, body: bytes) -> int:
        return 1

    def carries_reasoning(self, data: bytes) -> bool:
        return False


class EventCodec(UsualCodec):
    """Its streams are server-sent events."""

    stream_type: Final = EVENT_STREAM

    def framer(self) -> Framer:
        return Framer()
