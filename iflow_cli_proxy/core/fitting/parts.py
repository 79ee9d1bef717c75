"""What the steps share: looking at every part of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from iflow_cli_proxy.core.request import (
    Message,
    Part,
    Text,
)

CHAT: Final = "openai_chat"
"""The protocol of the upstreams that requests are fitted to, as `extras` are keyed by it."""
BETWEEN: Final = "\n\n"
"""Texts that become one."""


def each_part(messages: Iterable[Message], change: Callable[[Part], Part]) -> tuple[Message, ...]:
    out = []
    for message in messages:
        parts = tuple(change(part) for part in message.parts)
        is_same = all(new is old for new, old in zip(parts, message.parts, strict=True))
        out.append(message if is_same else msgspec.structs.replace(message, parts=parts))
    return tuple(out)


def text_of(parts: Iterable[Part]) -> str:
    return BETWEEN.join(part.text for part in parts if isinstance(part, Text))
