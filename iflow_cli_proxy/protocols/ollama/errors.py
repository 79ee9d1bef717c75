"""Ollama's errors: a status, and one text."""

from __future__ import annotations

from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Failing, GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.base import ErrorReply
from iflow_cli_proxy.protocols.openai_errors import TABLE

STATUS: Final = {kind: row.status for kind, row in TABLE.items()}
"""Which status a fault deserves is the same everywhere (RELIABILITY section 2)."""
_KEEPS_STATUS: Final = frozenset({"upstream_rejected", "content_filtered"})
"""Kinds whose error may carry the upstream's own 4xx."""


def encode_error(error: GatewayError, request_id: str) -> ErrorReply:
    headers = {}
    if error.wait_s is not None:
        headers["retry-after"] = str(error.wait_s)
    status = STATUS[error.kind]
    if error.kind in _KEEPS_STATUS and error.status is not None and 400 <= error.status < 500:
        status = error.status
    return ErrorReply(status=status, body=jsonx.encode(_error_object(error)), headers=headers)


def stream_error(error: GatewayError) -> bytes:
    return jsonx.encode(_error_object(error)) + b"\n"


def _error_object(error: GatewayError) -> dict[str, Json]:
    hint = error.hint.rstrip(".")
    return {"error": f"{error.message} Hint: {hint}." if hint else error.message}


def decode_error(body: Json) -> GatewayError | None:
    """None when `body` is no error. The text says what happened and nothing says whose fault it was."""
    found = body.get("error") if isinstance(body, dict) else None
    if isinstance(found, dict):
        found = found.get("message")
    return Failing(found) if isinstance(found, str) and found else None
