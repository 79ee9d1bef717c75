"""What it means when an upstream sends something that is not an answer, in any protocol that answers in JSON."""

from __future__ import annotations

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import EmptyAnswer, Failing, GatewayError, Malformed, cut_short
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.base import Judge


def judged(body: bytes, judge: Judge) -> GatewayError:
    """What a body that is not an answer means."""
    if not body.strip():
        return EmptyAnswer("The upstream sent an empty answer.")
    try:
        value = jsonx.decode_strict(body)
    except JsonError as error:
        if error.is_cut:
            return cut_short()
        return Malformed("The upstream sent something that cannot be read as JSON.", detail=error.what)
    found = judge(value) if isinstance(value, dict) else None
    return found or Malformed("The upstream sent JSON that is not an answer.")


def reported_failure(word: str, body: bytes, judge: Judge) -> GatewayError:
    """A finish reason that is a failure in disguise; what stands beside it may tell the judge which."""
    try:
        found = judge(jsonx.decode_strict(body))
    except JsonError:
        found = None
    return found or Failing("The upstream reported a failure instead of an answer.", detail=f"finish_reason {word}")
