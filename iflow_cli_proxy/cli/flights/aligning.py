"""A recorded upstream request held against what would be sent today, header by header and field by field.

What is made anew for each request is compared by its shape only. Imported only by `align`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.telemetry.masking import shown_body, shown_headers, shown_url
from iflow_cli_proxy.transport.base import UpstreamRequest

DYNAMIC_HEADERS: Final = (
    "authorization", "x-api-key", "cookie", "session-id", "session_id", "conversation-id", "x-iflow-timestamp",
    "x-iflow-signature", "traceparent", "tracestate", "x-request-id", "x-client-request-id", "date", "content-length",
)  # fmt: skip
"""Signatures, instants and ids; and keys, which are masked in any case."""
DYNAMIC_FIELDS: Final = (
    "extend_fields.sessionId", "metadata.sessionId", "metadata.promptId", "metadata.user_id", "prompt_cache_key",
    "user",
)  # fmt: skip
"""The same in bodies (reference, iFlow sections 4 and 5, Qwen section 5)."""
_BY_THE_CONNECTION: Final = frozenset({"host", "connection", "content-length", "transfer-encoding"})
"""Added below whoever builds a request."""
_SHAPES: Final = (
    (re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE), "<uuid>"),
    (re.compile(r"\b\d{10,}\b"), "<digits>"),
    (re.compile(r"\b[0-9a-fA-F]{16,}\b"), "<hex>"),
    (re.compile(r"\b\d{4,}\b"), "<digits>"),
    (re.compile(r"\S*…\S*|\[secret\]"), "<masked>"),
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One; None where one side has nothing of the name."""

    place: str
    """`request`, `header` or `body`."""
    name: str
    kind: str
    """`missing` in what is sent today, `added`, `value`, `spelling` or `order`."""
    recorded: Json
    today: Json

    def as_json(self) -> dict[str, Json]:
        return {
            "place": self.place,
            "name": self.name,
            "kind": self.kind,
            "recorded": self.recorded,
            "today": self.today,
        }


def differences(recorded: Mapping[str, Any], today: UpstreamRequest, *, is_clients: bool = False) -> list[Difference]:
    """Between one side of a flight and a request that would be sent.

    What a client sent to us (`is_clients`) had our address, and headers of a connection that was another one.
    """
    found = [] if is_clients else [*_request(recorded, today)]
    found += _headers(recorded["headers"], shown_headers(today.headers))
    if recorded["body"] and not recorded["cut"]:
        found += _bodies(recorded["body"], shown_body(today.body))
    elif recorded["fields"]:
        found += _names(recorded["fields"], today.fields)
    return found


def shape(value: str) -> str:
    """What stays the same of a value that is made anew."""
    for pattern, name in _SHAPES:
        value = pattern.sub(name, value)
    return value


def _request(recorded: Mapping[str, Any], today: UpstreamRequest) -> Iterator[Difference]:
    for name, value in (("method", today.method), ("url", shown_url(today.url))):
        if recorded[name] != value:
            yield Difference(place="request", name=name, kind="value", recorded=recorded[name], today=value)


def _headers(recorded: Mapping[str, str], today: Mapping[str, str]) -> Iterator[Difference]:
    before = {name.lower(): (name, value) for name, value in recorded.items() if name.lower() not in _BY_THE_CONNECTION}
    after = {name.lower(): (name, value) for name, value in today.items() if name.lower() not in _BY_THE_CONNECTION}
    for low in [*before, *(name for name in after if name not in before)]:
        if low not in after:
            name, value = before[low]
            yield Difference(place="header", name=name, kind="missing", recorded=value, today=None)
        elif low not in before:
            name, value = after[low]
            yield Difference(place="header", name=name, kind="added", recorded=None, today=value)
        else:
            yield from _header(low, before[low], after[low])
    yield from _order("header", [name for name in before if name in after], [name for name in after if name in before])


def _header(low: str, before: tuple[str, str], after: tuple[str, str]) -> Iterator[Difference]:
    (name, value), (name_now, value_now) = before, after
    if name != name_now:
        yield Difference(place="header", name=name, kind="spelling", recorded=name, today=name_now)
    is_same = value == value_now or (low in DYNAMIC_HEADERS and shape(value) == shape(value_now))
    if not is_same:
        yield Difference(place="header", name=name, kind="value", recorded=value, today=value_now)


def _bodies(recorded: str, today: str) -> Iterator[Difference]:
    try:
        before, after = jsonx.decode(recorded), jsonx.decode(today)
    except JsonError:
        if recorded != today:
            yield Difference(place="body", name="", kind="value", recorded=recorded, today=today)
        return
    yield from _values("", before, after)
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _order(
            "body", [name for name in before if name in after], [name for name in after if name in before]
        )


def _values(path: str, before: Json, after: Json) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            inner = f"{path}.{name}" if path else name
            if name not in after:
                yield Difference(place="body", name=inner, kind="missing", recorded=before[name], today=None)
            elif name not in before:
                yield Difference(place="body", name=inner, kind="added", recorded=None, today=after[name])
            else:
                yield from _values(inner, before[name], after[name])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _values(f"{path}[{at}]", one, other)
    elif before != after and not _has_shape_of(path, before, after):
        yield Difference(place="body", name=path, kind="value", recorded=before, today=after)


def _has_shape_of(path: str, before: Json, after: Json) -> bool:
    are_texts = isinstance(before, str) and isinstance(after, str)
    return path in DYNAMIC_FIELDS and are_texts and shape(before) == shape(after)


def _names(recorded: Sequence[str], today: Sequence[str]) -> Iterator[Difference]:
    """Where no body was kept, the names in it are compared."""
    for name in recorded:
        if name not in today:
            yield Difference(place="body", name=name, kind="missing", recorded="…", today=None)
    for name in today:
        if name not in recorded:
            yield Difference(place="body", name=name, kind="added", recorded=None, today="…")


def _order(place: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Difference]:
    if list(before) != list(after):
        yield Difference(place=place, name="", kind="order", recorded=list(before), today=list(after))
