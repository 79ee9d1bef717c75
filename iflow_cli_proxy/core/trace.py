"""Where a request stands in a trace, as W3C Trace Context words it (https://www.w3.org/TR/trace-context/, level 1).

Pure. What does not keep to the grammar is ignored, never mended: a wrong id would tear two traces apart, or sew them
together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from iflow_cli_proxy.core.ids import Entropy

PARENT: Final = "traceparent"
STATE: Final = "tracestate"

_TRACEPARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?"
)
_SIMPLE_KEY: Final = r"[a-z][a-z0-9_\-*/]{0,255}"
_TENANT_KEY: Final = r"[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13}"
_MEMBER: Final = re.compile(
    rf"(?P<key>{_SIMPLE_KEY}|{_TENANT_KEY})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MOST_MEMBERS: Final = 32
_LONGEST_STATE: Final = 512
"""Characters that have to be passed on; longer ones may be dropped, and are."""
_MOST_SPANS: Final = 1 << 64
_SAMPLED: Final = 1


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """The span of the client's that asked."""

    trace_id: str
    span_id: str
    is_sampled: bool
    state: str = ""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One request's place. Ids are lower-case hex: 32 digits of a trace, 16 of a span."""

    trace_id: str
    span_id: str
    """Of the request itself."""
    parent_id: str = ""
    """Of what the client was doing; empty where nobody said."""
    is_sampled: bool = True
    """Somebody records it."""
    state: str = ""
    """The client's `tracestate`, to be passed on as it came."""
    is_passed_on: bool = False
    """Upstreams are told."""
    route: str = ""
    """The path pattern it came by."""

    def attempt_id(self, number: int) -> str:
        """The span of attempt `number`, from 1: whoever sends and whoever tells of it find the same."""
        return f"{(int(self.span_id, 16) - 1 + number) % (_MOST_SPANS - 1) + 1:016x}"  # all but 0

    def headers(self, attempt: int) -> dict[str, str]:
        """What tells an upstream which span calls it."""
        told = {PARENT: f"00-{self.trace_id}-{self.attempt_id(attempt)}-{int(self.is_sampled):02x}"}
        return told | {STATE: self.state} if self.state else told


def read_parent(traceparents: Sequence[str], tracestates: Sequence[str] = ()) -> Parent | None:
    """The client's span from all its headers of these names; None without one, or with one that means nothing."""
    found = _TRACEPARENT.fullmatch(traceparents[0].strip(" \t")) if len(traceparents) == 1 else None
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["rest"]):
        return None
    if not int(found["trace"], 16) or not int(found["span"], 16):
        return None
    return Parent(
        trace_id=found["trace"],
        span_id=found["span"],
        is_sampled=bool(int(found["flags"], 16) & _SAMPLED),
        state=_read_state(tracestates),
    )


def begin(
    parent: Parent | None, entropy: Entropy, *, ratio: float = 1.0, is_passed_on: bool = False, route: str = ""
) -> Trace:
    """A request's place: in the client's trace, recorded where the client's is; else in one of its own, recorded for
    `ratio` of all."""
    trace_id = parent.trace_id if parent else _id(entropy, 16)
    return Trace(
        trace_id=trace_id,
        span_id=_id(entropy, 8),
        parent_id=parent.span_id if parent else "",
        is_sampled=parent.is_sampled if parent else int(trace_id[16:], 16) < ratio * _MOST_SPANS,
        state=parent.state if parent else "",
        is_passed_on=is_passed_on,
        route=route,
    )


def _id(entropy: Entropy, size: int) -> str:
    """All zeros mean that there is none."""
    return (entropy(size).hex()).replace("0" * 2 * size, "0" * (2 * size - 1) + "1")


def _read_state(headers: Sequence[str]) -> str:
    members = [member.strip(" \t") for header in headers for member in header.split(",")]
    members = [member for member in members if member]
    found = [_MEMBER.fullmatch(member) for member in members]
    keys = [one["key"] for one in found if one is not None]
    state = ",".join(members)
    is_good = len(set(keys)) == len(members) <= _MOST_MEMBERS and len(state) <= _LONGEST_STATE
    return state if is_good else ""
