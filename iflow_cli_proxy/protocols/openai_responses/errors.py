"""Errors within Responses: the one of a failed response, the event that says it, and what an upstream's say.

Codex reads the code: it shortens the conversation at `context_length_exceeded`, gives up at `insufficient_quota` and
`invalid_prompt`, waits at `rate_limit_exceeded` for as long as the message says, and tries again at anything else
(codex-rs/codex-api/src/sse/responses.rs).
"""

from __future__ import annotations

import math
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols import openai_errors
from iflow_cli_proxy.protocols.openai_errors import TABLE, error_object

_WITHOUT_CODE: Final = "invalid_prompt"
"""For the kinds to which the table gives no code: the request is at fault."""


def response_error(error: GatewayError) -> dict[str, Json]:
    """The `error` of a response that failed; always in our own code, which clients act on."""
    message = error_object(error)["error"]["message"]
    if error.kind == "rate_limited" and error.retry_after_s is not None:
        message = f"{message} Please try again in {math.ceil(max(1, error.retry_after_s))}s."
    return {"code": TABLE[error.kind].code or _WITHOUT_CODE, "message": message}


def decode_error(body: Json) -> GatewayError | None:
    """An error object, an error event, or a response that failed."""
    return openai_errors.decode_error(plain_error(body))


def plain_error(body: Json) -> Json:
    """In the one form that every judge knows: `{"error": {...}}`."""
    if not isinstance(body, dict):
        return body
    inner = body.get("response")
    if isinstance(inner, dict) and inner.get("error"):
        return {"error": inner["error"]}
    if body.get("type") == "error" and not body.get("error"):
        return {"error": {name: body.get(name) for name in ("code", "message", "param")}}
    return body
