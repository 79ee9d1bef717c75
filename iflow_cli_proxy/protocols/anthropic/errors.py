"""Anthropic's error objects: one table from kind to status and type, and the way back.

Source: Anthropic API reference, "Errors"; the SDKs choose their exception class by the status. Which status a fault
deserves is RELIABILITY section 2, except that an overloaded upstream is Anthropic's own 529.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from iflow_cli_proxy.core import errors, jsonx
from iflow_cli_proxy.core.errors import Blame, GatewayError, Retry
from iflow_cli_proxy.core.events import Failed
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.sse import encode_frame
from iflow_cli_proxy.protocols.base import ErrorReply


class Row(NamedTuple):
    status: int
    type: str


TABLE: Final[dict[str, Row]] = {
    "internal": Row(500, "api_error"),
    "invalid_request": Row(400, "invalid_request_error"),
    "unauthenticated": Row(401, "authentication_error"),
    "forbidden": Row(403, "permission_error"),
    "unknown_model": Row(404, "not_found_error"),
    "not_found": Row(404, "not_found_error"),
    "method_not_allowed": Row(405, "invalid_request_error"),
    "unsupported_media": Row(415, "invalid_request_error"),
    "expectation_failed": Row(417, "invalid_request_error"),
    "too_large": Row(413, "request_too_large"),
    "context_overflow": Row(400, "invalid_request_error"),
    "client_too_slow": Row(408, "invalid_request_error"),
    "content_filtered": Row(400, "invalid_request_error"),
    "no_account": Row(503, "api_error"),
    "rate_limited": Row(429, "rate_limit_error"),
    "quota_exhausted": Row(429, "rate_limit_error"),
    "busy": Row(503, "api_error"),
    "draining": Row(503, "api_error"),
    "upstream_error": Row(502, "api_error"),
    "upstream_unreachable": Row(502, "api_error"),
    "upstream_connect_timeout": Row(504, "timeout_error"),
    "upstream_tls": Row(502, "api_error"),
    "upstream_connection_lost": Row(502, "api_error"),
    "upstream_timeout": Row(504, "timeout_error"),
    "upstream_overloaded": Row(529, "overloaded_error"),
    "upstream_failing": Row(502, "api_error"),
    "upstream_malformed": Row(502, "api_error"),
    "upstream_empty": Row(502, "api_error"),
    "upstream_cut": Row(502, "api_error"),
    "upstream_rejected": Row(400, "invalid_request_error"),
    "upstream_auth": Row(502, "api_error"),
    "config": Row(500, "api_error"),
    "state": Row(500, "api_error"),
}

_KIND_BY_TYPE: Final = {
    "invalid_request_error": "upstream_rejected",
    "authentication_error": "unauthenticated",
    "permission_error": "forbidden",
    "not_found_error": "unknown_model",
    "request_too_large": "too_large",
    "rate_limit_error": "rate_limited",
    "billing_error": "quota_exhausted",
    "timeout_error": "upstream_timeout",
    "overloaded_error": "upstream_overloaded",
    "api_error": "upstream_failing",
}

_KEEPS_STATUS: Final = frozenset({"upstream_rejected", "content_filtered"})
"""Kinds whose error may carry the upstream's own 4xx."""

_TOO_LONG: Final = "prompt is too long: "
"""How Claude Code knows that it has to shorten the conversation."""
_VENDORS_WORDS: Final = re.compile(r"prompt is too long: \d")


def error_object(error: GatewayError, request_id: str = "") -> Json:
    """`{"type": "error", "error": {"type", "message"}, "request_id"}`."""
    hint = error.hint.rstrip(".")
    message = f"{error.message} Hint: {hint}." if hint else error.message
    return _object(error.kind, message) | ({"request_id": request_id} if request_id else {})


def failure_event(event: Failed) -> bytes:
    """The same for a stream that ended in failure."""
    return _event(_object(event.kind, event.message))


def stream_error(error: GatewayError) -> bytes:
    return _event(error_object(error))


def encode_error(error: GatewayError, request_id: str) -> ErrorReply:
    headers = {"request-id": request_id} if request_id else {}
    if error.wait_s is not None:
        headers["retry-after"] = str(error.wait_s)
    if error.blame is Blame.UPSTREAM and error.retry is Retry.NEVER:
        # Anthropic's SDKs obey it; the upstream may have done the work (RELIABILITY R1.8).
        headers["x-should-retry"] = "false"
    status = TABLE[error.kind].status
    if error.kind in _KEEPS_STATUS and error.status is not None and 400 <= error.status < 500:
        status = error.status
    return ErrorReply(status=status, body=jsonx.encode(error_object(error, request_id)), headers=headers)


def decode_error(body: Json) -> GatewayError | None:
    """An error object read back by its type; None when `body` is not one.

    The words are the speaker's own: not cleaned, and its "client" is whoever called it.
    """
    found = body.get("error") if isinstance(body, dict) else None
    if isinstance(found, str) and found:
        return errors.Rejected(found)
    if not isinstance(found, dict) or not found:
        return None
    word, message = found.get("type"), found.get("message")
    text = message if isinstance(message, str) and message else "The upstream reported an error."
    if text.lower().startswith(_TOO_LONG):
        return errors.ContextOverflow(text if _VENDORS_WORDS.match(text.lower()) else text[len(_TOO_LONG) :] or text)
    kind = _KIND_BY_TYPE.get(word, "upstream_error") if isinstance(word, str) else "upstream_error"
    return errors.of_kind(kind, text)


def _object(kind: str, message: str) -> dict[str, Json]:
    if kind == errors.ContextOverflow.kind and not message.lower().startswith(_TOO_LONG):
        message = _TOO_LONG + message
    return {"type": "error", "error": {"type": TABLE[kind].type, "message": message}}


def _event(value: Json) -> bytes:
    return encode_frame(jsonx.encode(value), "error")
