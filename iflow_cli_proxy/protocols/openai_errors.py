"""OpenAI's error objects, for all of its protocols: one table from kind to status and words, and the way back.

Source: OpenAI API reference, "Error codes"; which status a fault deserves is RELIABILITY section 2.
"""

from __future__ import annotations

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
    code: str | None


TABLE: Final[dict[str, Row]] = {
    "internal": Row(500, "server_error", "internal_error"),
    "invalid_request": Row(400, "invalid_request_error", None),
    "unauthenticated": Row(401, "authentication_error", "invalid_api_key"),
    "forbidden": Row(403, "permission_error", "forbidden"),
    "unknown_model": Row(404, "invalid_request_error", "model_not_found"),
    "not_found": Row(404, "invalid_request_error", "not_found"),
    "method_not_allowed": Row(405, "invalid_request_error", "method_not_allowed"),
    "unsupported_media": Row(415, "invalid_request_error", "unsupported_media_type"),
    "expectation_failed": Row(417, "invalid_request_error", "expectation_failed"),
    "too_large": Row(413, "invalid_request_error", "request_too_large"),
    "context_overflow": Row(400, "invalid_request_error", "context_length_exceeded"),
    "client_too_slow": Row(408, "invalid_request_error", "request_timeout"),
    "content_filtered": Row(400, "invalid_request_error", "content_filter"),
    "no_account": Row(503, "server_error", "no_account_available"),
    "rate_limited": Row(429, "rate_limit_error", "rate_limit_exceeded"),
    "quota_exhausted": Row(429, "insufficient_quota", "insufficient_quota"),
    "busy": Row(503, "server_error", "busy"),
    "draining": Row(503, "server_error", "draining"),
    "upstream_error": Row(502, "upstream_error", "upstream_error"),
    "upstream_unreachable": Row(502, "upstream_error", "upstream_unreachable"),
    "upstream_connect_timeout": Row(504, "upstream_error", "upstream_connect_timeout"),
    "upstream_tls": Row(502, "upstream_error", "upstream_tls"),
    "upstream_connection_lost": Row(502, "upstream_error", "upstream_connection_lost"),
    "upstream_timeout": Row(504, "upstream_error", "upstream_timeout"),
    "upstream_overloaded": Row(503, "upstream_error", "upstream_overloaded"),
    "upstream_failing": Row(502, "upstream_error", "upstream_failing"),
    "upstream_malformed": Row(502, "upstream_error", "upstream_malformed"),
    "upstream_empty": Row(502, "upstream_error", "upstream_empty"),
    "upstream_cut": Row(502, "upstream_error", "upstream_cut"),
    "upstream_rejected": Row(400, "invalid_request_error", None),
    "upstream_auth": Row(502, "upstream_error", "upstream_auth"),
    "config": Row(500, "server_error", "config"),
    "state": Row(500, "server_error", "state"),
}

_KEEPS_STATUS: Final = frozenset({"upstream_rejected", "content_filtered"})
"""Kinds whose error may carry the upstream's own 4xx."""

_KIND_BY_TYPE: Final = {
    "authentication_error": "unauthenticated",
    "permission_error": "forbidden",
    "rate_limit_error": "rate_limited",
    "insufficient_quota": "quota_exhausted",
    "server_error": "upstream_failing",
    "upstream_error": "upstream_error",
}
"""For errors without a code; `invalid_request_error` is what the rest amounts to."""

_KIND_BY_CODE: Final = {row.code: kind for kind, row in reversed(TABLE.items()) if row.code}


def error_object(error: GatewayError) -> Json:
    """`{"error": {"message", "type", "param", "code"}}`."""
    row = TABLE[error.kind]
    hint = error.hint.rstrip(".")
    message = f"{error.message} Hint: {hint}." if hint else error.message
    return {"error": {"message": message, "type": row.type, "param": error.param, "code": error.code or row.code}}


def error_of_event(event: Failed) -> Json:
    """The same for a stream that ended in failure."""
    row = TABLE[event.kind]
    return {"error": {"message": event.message, "type": row.type, "param": None, "code": event.code or row.code}}


def stream_error(error: GatewayError) -> bytes:
    """The event that ends a stream of chunks."""
    return encode_frame(jsonx.encode(error_object(error)))


def encode_error(error: GatewayError, request_id: str) -> ErrorReply:
    headers = {}
    if error.wait_s is not None:
        headers["retry-after"] = str(error.wait_s)
    if error.blame is Blame.UPSTREAM and error.retry is Retry.NEVER:
        # OpenAI's SDKs obey it; the upstream may have done the work (RELIABILITY R1.8).
        headers["x-should-retry"] = "false"
    status = TABLE[error.kind].status
    if error.kind in _KEEPS_STATUS and error.status is not None and 400 <= error.status < 500:
        status = error.status
    return ErrorReply(status=status, body=jsonx.encode(error_object(error)), headers=headers)


def decode_error(body: Json) -> GatewayError | None:
    """An error object read back: by its code where we know it, then by its type, else as Rejected.

    None when `body` is not one. The words are the speaker's own: not cleaned, and its "client" is whoever called it.
    """
    found = body.get("error") if isinstance(body, dict) else None
    if isinstance(found, str) and found:
        return errors.Rejected(found)
    if not isinstance(found, dict) or not found:
        return None
    message, param, code = found.get("message"), found.get("param"), found.get("code")
    word = str(code) if isinstance(code, str | int) and not isinstance(code, bool) else None
    return errors.of_kind(
        _KIND_BY_CODE.get(word or "") or _kind_by_type(found.get("type")),
        message if isinstance(message, str) and message else "The upstream reported an error.",
        param=param if isinstance(param, str) else None,
        code=word,
    )


def _kind_by_type(word: Json) -> str:
    return _KIND_BY_TYPE.get(word, "upstream_rejected") if isinstance(word, str) else "upstream_rejected"
