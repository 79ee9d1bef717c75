"""iFlow's ways of saying no: business codes, often inside HTTP 200, and the statuses it has for itself.

Knows the codes and sentences in the order in which the vendor's client tests them. Everything else is left to
`providers/errors.py`. Refuses to know accounts and retries: the error's class says what may help.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError, Retry
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.providers.cleaning import clean_message
from iflow_cli_proxy.providers.complaint import Complaint, find_complaint
from iflow_cli_proxy.providers.errors import error_from_complaint, error_from_http, status_in

_BLOCKED: Final = re.compile(r"has been blocked", re.IGNORECASE)
_BAD_KEY: Final = re.compile(r"invalid api ?key", re.IGNORECASE)
_CODE_IN_TEXT: Final = re.compile(r"^\s*status (\d{3})\s*$")
_TEXT_STATUS: Final = (
    (re.compile(r"rate limit|too many requests|quota", re.IGNORECASE), 429),
    (re.compile(r"forbidden", re.IGNORECASE), 403),
    (re.compile(r"unauthorized|invalid token", re.IGNORECASE), 401),
    (re.compile(r"not acceptable", re.IGNORECASE), 406),
    (re.compile(r"timeout", re.IGNORECASE), 408),
)
_SHORT_REST_S: Final = 2.0
"""After 449: the account already has a request running."""
_FORBIDDEN_REST_S: Final = 1800.0
_NEW_KEY: Final = "iflow2api login iflow, or set IFLOW_API_KEY to a working key"


class SignatureRefused(errors.UpstreamError):
    """Status 406: user agent, signature or model was refused before any work; a fresh timestamp may help once."""

    retry = Retry.SAME


def find_error(status: int, headers: Mapping[str, str], body: Json, *, now: float) -> GatewayError | None:
    """The failure that an answer of iFlow reports; the contract of `Provider.find_error`."""
    complaint = find_complaint(body) if _may_complain(status, body) else Complaint()
    code = _code(complaint) or (0 if status in (200, 413) else status)  # as a status, 413 is only about bytes
    if status == 200 and not _is_failure(complaint, code, body):
        return error_from_http(status, headers, body, now=now)
    for fits, make in _BUSINESS:
        if fits(code, complaint.message):
            return make(clean_message(complaint.message))
    known = _BY_STATUS.get(status if status != 200 else code)
    if known is not None:
        return known(clean_message(complaint.message))
    if status != 200:
        return error_from_http(status, headers, body, now=now)
    return error_from_complaint(complaint, headers, now=now, status=_status_for(code, complaint))


def _may_complain(status: int, body: Json) -> bool:
    return status != 200 or (isinstance(body, dict) and not body.get("choices"))


def _is_failure(complaint: Complaint, code: int, body: Json) -> bool:
    """In a 200: a code other than 0 or 200, or words where an answer should be."""
    if not isinstance(body, dict) or body.get("choices"):
        return False
    if code:
        return code != 200
    return bool(body.get("error")) or bool(complaint.message and "object" not in body)


def _code(complaint: Complaint) -> int:
    """The business code; `{"error": {"message": "status 406"}}` hides it in the text."""
    hidden = _CODE_IN_TEXT.match(complaint.message)
    return complaint.number or (int(hidden[1]) if hidden else 0)


def _status_for(code: int, complaint: Complaint) -> int:
    """What a failure inside a 200 amounts to; one that says nothing familiar is a refusal."""
    if 400 <= code <= 599:
        return code
    by_text = (status for pattern, status in _TEXT_STATUS if pattern.search(complaint.message))
    return next(by_text, 0) or status_in(complaint) or 400


def _context(said: str) -> GatewayError:
    return errors.ContextOverflow(said or "The prompt is longer than the model's context window.")


def _model_error(said: str) -> GatewayError:
    return errors.Failing("iFlow's model failed (514).", detail=said)


def _expired(said: str) -> GatewayError:
    return errors.Expired("The account's iFlow key has expired.", detail=said, hint=_NEW_KEY)


def _blocked(said: str) -> GatewayError:
    return errors.Blocked("The account is blocked by iFlow.", detail=said, code="account_blocked")


def _bad_key(said: str) -> GatewayError:
    return errors.Expired("iFlow does not accept the account's key.", detail=said, hint=_NEW_KEY)


def _no_model(said: str) -> GatewayError:
    return errors.UnknownModel(said or "iFlow does not have this model.", code="model_not_found")


def _limited(said: str) -> GatewayError:
    return errors.RateLimited(said or "iFlow limits the rate of requests to this model.")


def _one_at_a_time(said: str) -> GatewayError:
    return errors.RateLimited(said or "iFlow takes one request at a time from an account.", retry_after_s=_SHORT_REST_S)


def _forbidden(said: str) -> GatewayError:
    return errors.Revoked(
        "iFlow forbids this account what was asked for (403).", detail=said, retry_after_s=_FORBIDDEN_REST_S
    )


def _signature(said: str) -> GatewayError:
    return SignatureRefused("iFlow refused the request: model or signature not accepted (406).", detail=said)


_BUSINESS: Final[tuple[tuple[Callable[[int, str], bool], Callable[[str], GatewayError]], ...]] = (
    (lambda code, said: code in (511, 413), _context),
    (lambda code, said: code == 514, _model_error),
    (lambda code, said: code == 439, _expired),
    # 434 has two meanings, which only the text tells apart: this test must come before the code's.
    (lambda code, said: code == 438 or _BLOCKED.search(said) is not None, _blocked),
    (lambda code, said: code == 434 or _BAD_KEY.search(said) is not None, _bad_key),
    (lambda code, said: code == 435, _no_model),
    (lambda code, said: code == 8211, _limited),
    (lambda code, said: code == 449, _one_at_a_time),
)
"""The first that fits holds, whatever the HTTP status."""

_BY_STATUS: Final[Mapping[int, Callable[[str], GatewayError]]] = {
    401: _bad_key,
    403: _forbidden,
    406: _signature,
    511: _context,
    514: _model_error,
}
