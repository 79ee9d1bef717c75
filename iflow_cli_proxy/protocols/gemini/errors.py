"""Google's error objects, and the way back.

Source: google.rpc.Status, google.rpc.Code and error_details.proto. The kind itself travels as the `reason` of an
ErrorInfo, so that it survives the trip.
"""

from __future__ import annotations

import re
from typing import Final

from iflow_cli_proxy.core import errors, jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Failed
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.base import ErrorReply
from iflow_cli_proxy.protocols.openai_errors import TABLE

STATUS: Final = {kind: row.status for kind, row in TABLE.items()}
"""The same as everywhere: RELIABILITY section 2 says which status a fault deserves."""
_CODES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""google.rpc.Code by status; any other 4xx is an INVALID_ARGUMENT."""

_KINDS: Final = {
    "UNAUTHENTICATED": "unauthenticated",
    "PERMISSION_DENIED": "forbidden",
    "NOT_FOUND": "unknown_model",
    "RESOURCE_EXHAUSTED": "rate_limited",
    "INTERNAL": "upstream_failing",
    "UNKNOWN": "upstream_failing",
    "UNAVAILABLE": "upstream_overloaded",
    "DEADLINE_EXCEEDED": "upstream_timeout",
}
"""What Google means by its codes; anything else says that the request is wrong."""
_KIND_BY_REASON: Final = {kind.upper(): kind for kind in STATUS} | {"API_KEY_INVALID": "unauthenticated"}
_KEEPS_STATUS: Final = frozenset({"upstream_rejected", "content_filtered"})
"""Kinds whose error may carry the upstream's own 4xx."""
_DOMAIN: Final = "iflow2api"
_TYPE: Final = "type.googleapis.com/google.rpc."
_SECONDS: Final = re.compile(r"(\d{1,7}(?:\.\d{1,9})?)s")


def error_object(error: GatewayError) -> dict[str, Json]:
    """`{"error": {"code", "message", "status", "details"}}`."""
    status = _status(error)
    hint = error.hint.rstrip(".")
    message = f"{error.message} Hint: {hint}." if hint else error.message
    code = _CODES.get(status, "INVALID_ARGUMENT")
    return {"error": {"code": status, "message": message, "status": code, "details": _details(error)}}


def failure_error(event: Failed) -> GatewayError:
    """The error behind the event that ends a stream."""
    return errors.of_kind(event.kind, event.message, code=event.code or None)


def encode_error(error: GatewayError, request_id: str) -> ErrorReply:
    headers = {}
    if error.wait_s is not None:
        headers["retry-after"] = str(error.wait_s)
    return ErrorReply(status=_status(error), body=jsonx.encode(error_object(error)), headers=headers)


def stream_error(error: GatewayError) -> bytes:
    """Bare, as Google sends it: no event.

    2026-11: Gemini CLI 0.61 takes an error in an event for an answer without content and, in a turn after the first,
    ends with what it has and exit code 0; to a bare one it answers with another try.
    """
    return jsonx.encode(error_object(error)) + b"\n\n"


def decode_error(body: Json) -> GatewayError | None:
    """An error object read back, also from inside the list of a stream; None when `body` is not one."""
    if isinstance(body, list) and body:
        body = body[0]
    found = body.get("error") if isinstance(body, dict) else None
    if isinstance(found, str) and found:
        return errors.Rejected(found)
    if not isinstance(found, dict) or not found:
        return None
    message, details = found.get("message"), found.get("details")
    by_type = _by_type(details if isinstance(details, list) else [])
    error = errors.of_kind(
        _kind(found, by_type.get("ErrorInfo", {})),
        message if isinstance(message, str) and message else "The upstream reported an error.",
        param=_param(by_type.get("BadRequest", {})),
    )
    error.retry_after_s = _retry_after_s(by_type.get("RetryInfo", {}))
    return error


def _status(error: GatewayError) -> int:
    if error.kind in _KEEPS_STATUS and error.status is not None and 400 <= error.status < 500:
        return error.status
    return STATUS[error.kind]


def _details(error: GatewayError) -> list[Json]:
    details: list[Json] = [{"@type": f"{_TYPE}ErrorInfo", "reason": error.kind.upper(), "domain": _DOMAIN}]
    if error.param:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]})
    if error.wait_s is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{error.wait_s}s"})
    return details


def _by_type(details: list[Json]) -> dict[str, dict[str, Json]]:
    found = {}
    for detail in details:
        if isinstance(detail, dict) and isinstance(word := detail.get("@type"), str):
            found[word.removeprefix(_TYPE)] = detail
    return found


def _kind(error: dict[str, Json], info: dict[str, Json]) -> str:
    reason, word, status = info.get("reason"), error.get("status"), error.get("code")
    if isinstance(reason, str) and reason in _KIND_BY_REASON:
        return _KIND_BY_REASON[reason]
    if not isinstance(word, str):
        word = _CODES.get(status, "") if isinstance(status, int) else ""
    return _KINDS.get(word, "upstream_rejected")


def _param(bad_request: dict[str, Json]) -> str | None:
    violations = bad_request.get("fieldViolations")
    first = violations[0] if isinstance(violations, list) and violations else None
    field = first.get("field") if isinstance(first, dict) else None
    return field if isinstance(field, str) and field else None


def _retry_after_s(info: dict[str, Json]) -> float | None:
    delay = info.get("retryDelay")
    found = _SECONDS.fullmatch(delay) if isinstance(delay, str) else None
    return float(found[1]) if found else None
