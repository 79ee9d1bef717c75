"""What an answer in a client's protocol says: its text, its calls of tools, why it ended; and how two of them differ.

An answer that its protocol cannot read is taken for a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.assemble import assemble
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Failed, PartKind, Reply
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.stage import Chain, run
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Codec
from iflow_cli_proxy.state.ledger_row import Row

COMPARED: Final = ("status", "error", "text", "reasoning", "tool_calls", "stop_reason", "usage", "notes")
"""What has to be the same; times, accounts and attempts may differ."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer. What could not be found out is None, and is no difference."""

    status: int
    error: str = ""
    account: str = ""
    route: str = ""
    attempts: int = 0
    text: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[tuple[str, Json], ...] | None = None
    """Names and arguments."""
    stop_reason: str | None = None
    usage: Mapping[str, int] | None = None
    """None also where nobody counted."""
    notes: tuple[str, ...] | None = None
    first_byte_s: float | None = None
    duration_s: float = 0.0

    def as_json(self) -> dict[str, Json]:
        calls = [{"name": name, "arguments": arguments} for name, arguments in self.tool_calls or ()]
        return {**asdict(self), "tool_calls": None if self.tool_calls is None else calls}


def said(row: Row, flight: Mapping[str, Any] | None, body: bytes | None) -> Said:
    """What an exchange came to; `body` is what the client was sent, None where that is not known."""
    usage = {"prompt": row.prompt, "completion": row.completion, "reasoning": row.reasoning}
    facts = Said(
        status=row.status,
        error=row.error_kind,
        account=row.account,
        route=f"{row.provider}/{row.model_served}" if row.provider else "",
        attempts=len(row.attempts),
        usage=None if row.is_estimated else usage,
        notes=None if flight is None else tuple(f"{one['path']}: {one['what']}" for one in flight["notes"]),
        first_byte_s=row.first_byte_s,
        duration_s=row.duration_s,
    )
    if body is None:
        return facts
    return _with_words(facts, _reply_in(CODECS.get(row.protocol), body, row), body, row.request_id)


def differences(then: Said, now: Said) -> list[str]:
    """Names of what is not the same, as far as it is known of both."""
    known = [name for name in COMPARED if getattr(then, name) is not None and getattr(now, name) is not None]
    return [name for name in known if getattr(then, name) != getattr(now, name)]


def _reply_in(codec: Codec | None, body: bytes, row: Row) -> Reply | None:
    if codec is None or codec.is_passed_on or row.status >= 400:
        return None
    try:
        if not row.is_stream:
            return codec.decode_reply(body, _no_judge)
        events = Chain(codec.framer(), codec.stream_decoder(_no_judge, frozenset()))
        found = assemble(run(events, [body]))
    except GatewayError:
        return None
    return None if isinstance(found, Failed) else found


def _with_words(facts: Said, reply: Reply | None, body: bytes, request_id: str) -> Said:
    """Errors name the request they are about."""
    if reply is None:
        return replace(facts, text=body.decode("utf-8", "replace").replace(request_id, ""))
    parts = [part for choice in reply.choices for part in choice.parts]
    return replace(
        facts,
        text="".join(part.text for part in parts if part.kind is PartKind.TEXT),
        reasoning="".join(part.text for part in parts if part.kind is PartKind.REASONING),
        tool_calls=tuple((part.name, _arguments(part.text)) for part in parts if part.kind is PartKind.TOOL_CALL),
        stop_reason=", ".join(str(choice.reason or "") for choice in reply.choices),
    )


def _arguments(text: str) -> Json:
    """As values, so that blanks are no difference."""
    try:
        return jsonx.decode(text)
    except JsonError:
        return text


def _no_judge(_: Json) -> GatewayError | None:
    return None
