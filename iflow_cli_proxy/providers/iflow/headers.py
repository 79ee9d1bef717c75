"""Which headers iFlow is sent: one table for each version of the vendor's client, and the least that works.

Knows names, spelling, order and where each value comes from. Refuses to know how long an identifier lives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

USER_AGENT: Final = "iFlow-Cli"
CLIENT_VERSION: Final = "0.5.19"
"""The version whose table is sent as `aligned`."""

Row: TypeAlias = tuple[str, str]
"""A header's name and its value, in which `{key}` and its sisters stand for what changes. A row whose value is
unknown is left out: without a key there is neither Authorization nor signature nor timestamp."""

_SIGNED: Final[tuple[Row, ...]] = (
    ("Content-Type", "application/json"),
    ("Authorization", "Bearer {key}"),
    ("user-agent", "{user_agent}"),
    ("session-id", "{session}"),
    ("conversation-id", "{conversation}"),
    ("x-iflow-timestamp", "{timestamp}"),
    ("x-iflow-signature", "{signature}"),
)

ALIGNED: Final[Mapping[str, tuple[Row, ...]]] = {
    CLIENT_VERSION: (
        *_SIGNED,
        # The rest is added by the client's runtime (Node's fetch). It also offers `br`, which we could not undo.
        ("accept", "*/*"),
        ("accept-language", "*"),
        ("sec-fetch-mode", "cors"),
        ("accept-encoding", "gzip, deflate"),
    ),
}
MINIMAL: Final[tuple[Row, ...]] = tuple(row for row in _SIGNED if row[0] != "conversation-id")


@dataclass(frozen=True, kw_only=True)
class HeaderValues:
    """What the placeholders of a table stand for in one request; None leaves the rows out that need it."""

    key: str | None
    session: str
    conversation: str
    timestamp: str | None
    signature: str | None
    user_agent: str = USER_AGENT


def table(header_set: str, version: str = CLIENT_VERSION) -> tuple[Row, ...]:
    """The rows of the setting `aligned` or `minimal`."""
    return MINIMAL if header_set == "minimal" else ALIGNED[version]


def fill(rows: tuple[Row, ...], values: HeaderValues) -> dict[str, str]:
    """The headers of one request, in the order of the table."""
    known = {f"{{{name}}}": value for name, value in vars(values).items()}
    filled = {}
    for name, template in rows:
        start, brace, rest = template.partition("{")
        value = known[brace + rest] if brace else ""
        if value is not None:
            filled[name] = start + value
    return filled
