"""Qwen's ways of saying no, in the order that tells them apart: quota, credential, request, rate, failure.

Quota comes first because it also arrives as 403, and a refresh for each of those would be in vain. What is neither is
left to `providers/errors.py`. Refuses to know accounts and retries: the error's class says what may help.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core import errors, jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.providers.cleaning import clean_message
from iflow_cli_proxy.providers.complaint import Complaint, find_complaint, names_an_error
from iflow_cli_proxy.providers.errors import error_from_complaint, error_from_http
from iflow_cli_proxy.providers.retry_after import retry_after_s

ERROR_FINISH: Final = "error_finish"
"""A finish reason: the text beside it is the error's."""

_DAY_S: Final = 86_400.0

_QUOTA: Final = re.compile(
    r"insufficient_quota|quota_exceeded|free allocated quota exceeded|exceeded your current quota"
    r"|quota\b.{0,40}\bexceeded|exceeded\b.{0,40}\bquota"
)
_SURELY_AUTH: Final = re.compile(
    r"unauthorized|(?:invalid|incorrect)[ _]api[ _-]?key|invalid access token|token (?:has |is )?expired"
)
_AUTH: Final = re.compile(rf"{_SURELY_AUTH.pattern}|forbidden|authentication|access denied|token.{{0,60}}expired")
"""In a refusal of the request these words may be about a thing of the client's own; there only the sure ones count."""
_CLIENT: Final = re.compile(
    r"validation error|invalid json|context length|unsupported parameter|invalid_request_error|invalidparameter"
)
_RATE: Final = re.compile(r"throttling|rate[ _-]?limit|too many requests")

_REQUEST_STATUSES: Final = frozenset({400, 404, 409, 413, 422})
_RATE_CODES: Final = re.compile(r"(?<!\d)(?:429|503|1302|1305)(?!\d)")
"""What the vendor's client takes for a rate limit in the text of a stream that failed."""


def find_error(status: int, headers: Mapping[str, str], body: Json, *, now: float) -> GatewayError | None:
    """The failure that an answer of Qwen reports; the contract of `Provider.find_error`."""
    if status == 200 and (text := _failing_text(body)) is not None:
        return _in_stream(text, headers, now)
    complaint = find_complaint(body) if status != 200 or _complains(body) else Complaint()
    said, words = clean_message(complaint.message), complaint.words
    meant = status if status != 200 else complaint.number
    is_page = status == 403 and body is None  # of a firewall on the way: it says nothing about the token
    if is_page or (not 400 <= meant < 500 and not (status == 200 and complaint)):
        return error_from_http(status, headers, body, now=now)
    if _is_quota(meant, words):
        return _quota(said, now)
    if _is_credential(meant, words):
        return _credential(said)
    if meant == 429 or (meant not in _REQUEST_STATUSES and not _CLIENT.search(words) and _RATE.search(words)):
        return _rate(said, headers, now)
    if status != 200:
        return error_from_http(status, headers, body, now=now)
    status_of_words = 400 if not 400 <= meant < 600 and _CLIENT.search(words) else 0
    return error_from_complaint(complaint, headers, now=now, status=status_of_words)


def until_midnight_s(now: float) -> float:
    """Seconds to the next midnight, UTC: when the day's quota is thought to come back."""
    return _DAY_S - now % _DAY_S


def _complains(body: Json) -> bool:
    """Whether a 200 holds an error, or words where an answer should be."""
    if not isinstance(body, dict):
        return False
    if names_an_error(body):
        return True
    return "choices" not in body and "object" not in body and bool(find_complaint(body).message)


def _is_quota(status: int, words: str) -> bool:
    return status not in _REQUEST_STATUSES and _QUOTA.search(words) is not None


def _is_credential(status: int, words: str) -> bool:
    if status in (401, 403):
        return True
    pattern = _SURELY_AUTH if status in _REQUEST_STATUSES else _AUTH
    return status != 429 and status < 500 and pattern.search(words) is not None


def _quota(said: str, now: float) -> GatewayError:
    return errors.QuotaExhausted(
        said or "The account's quota at Qwen is used up.",
        retry_after_s=until_midnight_s(now),
        code="insufficient_quota",
    )


def _rate(said: str, headers: Mapping[str, str], now: float) -> GatewayError:
    return errors.RateLimited(said or "Qwen limits the rate of requests.", retry_after_s=retry_after_s(headers, now))


def _credential(said: str) -> GatewayError:
    return errors.Expired("Qwen does not accept the account's token or key.", detail=said)


# --- a stream that ends in an error -------------------------------------------------------------------------------


def _failing_text(body: Json) -> str | None:
    """The text of the choice that ended in `error_finish`; None when none did."""
    choices = body.get("choices") if isinstance(body, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("finish_reason") == ERROR_FINISH:
            holder = choice.get("delta") or choice.get("message") or {}
            text = holder.get("content") if isinstance(holder, dict) else None
            return text if isinstance(text, str) else ""
    return None


def _in_stream(text: str, headers: Mapping[str, str], now: float) -> GatewayError:
    complaint = _complaint_in(text)
    said, words = clean_message(complaint.message), complaint.words
    if _is_quota(0, words):
        return _quota(said, now)
    if _RATE.search(words) or _RATE_CODES.search(f"{complaint.code} {complaint.message}"):
        return _rate(said, headers, now)
    if _CLIENT.search(words):
        return error_from_complaint(complaint, headers, now=now, status=400)
    return errors.Failing("Qwen reported an error instead of the end of an answer.", detail=said)


def _complaint_in(text: str) -> Complaint:
    """The error's text is JSON at times, words at others."""
    try:
        found = find_complaint(jsonx.decode_strict(text.encode())) if text.lstrip().startswith("{") else Complaint()
    except JsonError:
        found = Complaint()
    return found or Complaint(message=text)
