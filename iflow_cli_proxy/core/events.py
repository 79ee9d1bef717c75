"""The stream vocabulary, and Reply, its assembled form.

The richest common shape of the protocols, with no vendor's names. Protocols without part boundaries have them inferred
by their decoder and dropped by their encoder. What may follow what is in `grammar.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

import msgspec

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.usage import Usage


class PartKind(StrEnum):
    TEXT = "text"
    REASONING = "reasoning"
    REFUSAL = "refusal"
    TOOL_CALL = "tool_call"


class StopReason(StrEnum):
    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_USE = "tool_use"
    CONTENT_FILTER = "content_filter"
    OTHER = "other"
    """Some other word; `ChoiceEnded.word` has it."""


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=True, omit_defaults=True):
    pass


class Started(_Event, frozen=True, kw_only=True, tag="started"):
    """The answer has begun. `created` is in epoch seconds, 0 when unknown."""

    id: str = ""
    model: str = ""
    created: int = 0


class PartStarted(_Event, frozen=True, kw_only=True, tag="part_started"):
    """A content unit begins; `part` numbers it within the stream, `choice` says which answer of `n` it belongs to.

    `id` and `name` are those of a tool call; `id` is empty when the upstream gave none.
    """

    part: int
    kind: PartKind
    choice: int = 0
    id: str = ""
    name: str = ""


class Delta(_Event, frozen=True, kw_only=True, tag="delta"):
    """More of a part: text, or the next piece of a tool call's argument JSON."""

    part: int
    text: str


class Sealed(_Event, frozen=True, kw_only=True, tag="sealed"):
    """Something opaque that must return untouched in the next turn (`signature`, `encrypted`)."""

    part: int
    kind: str
    value: str


class PartEnded(_Event, frozen=True, kw_only=True, tag="part_ended"):
    part: int


class ChoiceEnded(_Event, frozen=True, kw_only=True, tag="choice_ended"):
    """Why one answer ended. `word` is the upstream's own when `reason` cannot carry its meaning."""

    choice: int = 0
    reason: StopReason = StopReason.END_TURN
    stop_sequence: str = ""
    word: str = ""


class UsageReported(_Event, frozen=True, kw_only=True, tag="usage"):
    """Tokens so far; a later report replaces an earlier one."""

    usage: Usage


class Extra(_Event, frozen=True, kw_only=True, tag="extra"):
    """Fields of `protocol` that we do not model; they return only to that protocol. `choice` -1 is the whole answer."""

    protocol: str
    fields: Mapping[str, Any]
    choice: int = -1


class Ended(_Event, frozen=True, kw_only=True, tag="ended"):
    """The stream is complete. Says nothing about why: see ChoiceEnded."""


class Failed(_Event, frozen=True, kw_only=True, tag="failed"):
    """The stream is over and incomplete. `kind` is a GatewayError's."""

    kind: str
    message: str
    code: str = ""


Event: TypeAlias = (
    Started | PartStarted | Delta | Sealed | PartEnded | ChoiceEnded | UsageReported | Extra | Ended | Failed
)


def failed(error: GatewayError) -> Failed:
    """An error as the last event of its stream."""
    return Failed(kind=error.kind, message=error.message, code=error.code or "")


# --- assembled ----------------------------------------------------------------------------------------------------


class ReplyPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A whole part. For a tool call `text` is its argument JSON as the model wrote it, valid or not."""

    kind: PartKind
    text: str = ""
    id: str = ""
    name: str = ""
    seals: Mapping[str, str] = {}


class Choice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One whole answer. `reason` is None when the upstream never said why it ended."""

    parts: tuple[ReplyPart, ...] = ()
    reason: StopReason | None = None
    stop_sequence: str = ""
    word: str = ""
    extras: Mapping[str, Mapping[str, Any]] = {}


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stream that was collected. `extras` are keyed by protocol; `usage` is None when nobody counted."""

    id: str = ""
    model: str = ""
    created: int = 0
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    extras: Mapping[str, Mapping[str, Any]] = {}
