"""From an upstream's answer to our error tree, for any upstream that behaves like OpenAI's.

Knows what statuses, code words and typical sentences mean. What a client may read is cleaned first (`cleaning.py`):
words of a refusal are passed on, because the client has to act on them; words of a failure go to `detail` only.
Refuses to know one company's private codes; its provider looks at those before it asks here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.providers.cleaning import clean_message
from iflow_cli_proxy.providers.complaint import Complaint, find_complaint, names_an_error
from iflow_cli_proxy.providers.retry_after import retry_after_s

_CONTEXT: Final = re.compile(
    r"context[ _]?(?:length|window|size)|maximum context|max_context|context_length_exceeded|prompt is too long"
    r"|input (?:is )?too long|too many (?:input |prompt )?tokens|exceeds? the (?:available )?context"
    r"|input tokens? exceeds?|reduce the length|token count exceeds|range of input length|上下文长度|超出.{0,6}长度"
)
_FILTERED: Final = re.compile(
    r"content[ _]?(?:filter|policy|management)|content_filter|data_inspection_failed|inappropriate content|moderation"
    r"|safety (?:system|policy)|flagged|sensitive content|敏感|内容安全|违规内容"
)
_UNKNOWN_MODEL: Final = re.compile(
    r"model_not_found|unknown_model|model[ _]not[ _](?:found|exists?|support)"
    r"|model\b.{0,120}?\b(?:does not exist|not found|is not (?:found|available|supported)|doesn't exist)"
    r"|(?:unknown|no such|unsupported|invalid) model\b|模型不存在"
)
_QUOTA: Final = re.compile(
    r"insufficient[ _](?:quota|balance|credit|fund)|exceeded your current quota|billing|payment required"
    r"|out of credits|more credits|(?:daily|weekly|monthly|free)[ _](?:\w+ )?(?:quota|allocated|allowance)"
    r"|quota (?:has been |is )?(?:exhausted|used up)|余额不足|欠费|额度"
)
_RATE: Final = re.compile(r"rate[ _-]?limit|too many requests|\b[rt]pm\b|throttl|concurrency|quota|请求过于频繁|限流")
_BLOCKED: Final = re.compile(r"blocked|banned|suspended|deactivated|disabled|terminated|封禁|冻结")
_EXPIRED: Final = re.compile(r"expired?\b|已过期")
_OVERLOADED: Final = re.compile(r"overload|at capacity|try again later|temporarily unavailable|loading model|太多|繁忙")
_KEY: Final = re.compile(
    r"unauthori[sz]ed|authentication|invalid[ _](?:api[ _-]?key|token|key)|incorrect api key"
    r"|api[ _-]?key not valid|login fail|not authenticated"
)
_SURELY_KEY: Final = re.compile(
    r"unauthori[sz]ed|(?:invalid|incorrect|wrong|missing|no)[ _]api[ _-]?key"
    r"|api[ _-]?key (?:is )?(?:not valid|invalid|missing)|api_key_invalid|authentication_error|not authenticated"
)
"""In a refusal about the request an "invalid key" or "invalid token" is more likely one of its own."""

_STATUS_BY_WORD: Final = (
    (_CONTEXT, 400),
    (_FILTERED, 400),
    (re.compile(r"insufficient_quota|payment"), 402),
    (_RATE, 429),
    (_QUOTA, 402),
    (_KEY, 401),
    (re.compile(r"permission|forbidden|access denied"), 403),
    (_UNKNOWN_MODEL, 404),
    (re.compile(r"not[ _]found"), 404),
    (_OVERLOADED, 503),
    (re.compile(r"timed?[ _-]?out|deadline"), 504),
    (re.compile(r"invalid[ _](?:request|param|argument)|badrequest|bad request|validation"), 400),
    (re.compile(r"server[ _]error|internal|api_error|upstream|engine"), 500),
)
"""What an error inside a 200 would have had as its status; the first that fits."""

_PASSED_ON: Final = frozenset({400, 404, 409, 413, 415, 422, 451})
"""Refusals whose status tells the client what to change; all others reach it as 400, or as our failure."""
_NOT_THE_CLIENTS: Final = frozenset({405, 407, 411, 414, 421, 426, 431})
"""About the call itself, which we make: no body a client sends is the reason."""

_CHECK_BASE_URL: Final = "check the provider's base_url"


def error_from_http(status: int, headers: Mapping[str, str], body: Json, *, now: float) -> GatewayError | None:
    """The failure an answer reports, None when it is a good one; the contract of `Provider.find_error`.

    `headers` have lower-case names; `now` is in epoch seconds.
    """
    if status == 200:
        return _inside_200(headers, body, now)
    return _for_status(status, find_complaint(body), headers, now, is_json=body is not None)


def error_from_complaint(
    complaint: Complaint, headers: Mapping[str, str], *, now: float, status: int = 0
) -> GatewayError:
    """The error for words found inside a 200; `status` is what they amount to where the caller knows it."""
    status = status or status_in(complaint)
    if not status:
        return errors.Failing("The upstream reported an error.", detail=clean_message(complaint.message))
    return _for_status(status, complaint, headers, now, is_json=True)


def _inside_200(headers: Mapping[str, str], body: Json, now: float) -> GatewayError | None:
    if body is None:
        return _no_json(headers)
    if names_an_error(body):
        return error_from_complaint(find_complaint(body), headers, now=now)
    if not isinstance(body, dict):
        return errors.Malformed("The upstream's answer is not a JSON object.")
    if isinstance(body.get("choices"), list) or _is_chunk_of_usage(body):
        return None
    complaint = find_complaint(body)
    if complaint.message and "object" not in body:
        return error_from_complaint(complaint, headers, now=now)
    return errors.Malformed("The upstream's answer has no choices.")


def _is_chunk_of_usage(body: dict[str, Json]) -> bool:
    """Some servers send the usage of a stream in an event that lacks `choices` altogether."""
    return body.get("object") == "chat.completion.chunk" and isinstance(body.get("usage"), dict)


def _no_json(headers: Mapping[str, str]) -> GatewayError:
    content_type = headers.get("content-type", "").lower()
    if "html" in content_type:
        return errors.WebPage("The upstream answered with a web page.", hint=_CHECK_BASE_URL)
    if headers.get("content-length") == "0" or not content_type or "event-stream" in content_type:
        return errors.EmptyAnswer("The upstream's answer was empty.")
    return errors.Malformed("The upstream's answer is not JSON.")


def status_in(complaint: Complaint) -> int:
    """The status a complaint inside a 200 amounts to; 0 when nothing about it is familiar."""
    if 400 <= complaint.number <= 599:
        return complaint.number
    words = complaint.words
    return next((status for pattern, status in _STATUS_BY_WORD if pattern.search(words)), 0)


def _for_status(
    status: int, complaint: Complaint, headers: Mapping[str, str], now: float, *, is_json: bool
) -> GatewayError:
    wait_s = retry_after_s(headers, now)
    said = clean_message(complaint.message)
    if status in (401, 403):
        return _credential(status, complaint, said)
    if status in (402, 429):
        return _no_room(status, complaint, said, wait_s)
    if status in (408, 425):
        return errors.Overloaded(_failed(status), detail=said, retry_after_s=wait_s)
    if 400 <= status < 500:
        return _refusal(status, complaint, said, is_json=is_json)
    if status in (503, 529):
        return errors.Overloaded(f"The upstream is overloaded (status {status}).", detail=said, retry_after_s=wait_s)
    if 500 <= status < 600:
        if _CONTEXT.search(complaint.words):  # some servers find out late that the prompt is too long
            return errors.ContextOverflow(said or "The prompt is longer than the model's context window.")
        return errors.Failing(_failed(status), detail=said, retry_after_s=wait_s)
    if 300 <= status < 400:
        return errors.Malformed(
            f"The upstream answered with a redirect (status {status}), which is not followed.", hint=_CHECK_BASE_URL
        )
    return errors.Malformed(f"The upstream answered with an unusable status ({status}).", detail=said)


def _failed(status: int) -> str:
    return f"The upstream failed (status {status})."


def _credential(status: int, complaint: Complaint, said: str) -> GatewayError:
    words = complaint.words
    if status == 403 and _FILTERED.search(words):
        return errors.ContentFiltered(said or "The upstream's content filter refused the request.", status=400)
    if _BLOCKED.search(words):
        return errors.Blocked("The upstream has blocked this account.", detail=said)
    if _EXPIRED.search(words) and "invalid" not in words:
        return errors.Expired("The account's key or token has expired.", detail=said)
    if status == 403:
        return errors.Revoked("The upstream forbids this account what was asked for (status 403).", detail=said)
    return errors.LoginRequired(f"The upstream does not accept the account's key (status {status}).", detail=said)


def _no_room(status: int, complaint: Complaint, said: str, wait_s: float | None) -> GatewayError:
    if status == 402 or _QUOTA.search(complaint.words):
        return errors.QuotaExhausted(
            said or "The account's quota at the upstream is used up.", retry_after_s=wait_s, code="insufficient_quota"
        )
    return errors.RateLimited(said or "The upstream limits the rate of requests.", retry_after_s=wait_s)


def _refusal(status: int, complaint: Complaint, said: str, *, is_json: bool) -> GatewayError:
    words = complaint.words
    told = status if status in _PASSED_ON else 400
    if _CONTEXT.search(words):
        return errors.ContextOverflow(said or "The prompt is longer than the model's context window.")
    if _FILTERED.search(words):
        return errors.ContentFiltered(said or "The upstream's content filter refused the request.", status=told)
    if (_SURELY_KEY if status in _PASSED_ON else _KEY).search(words):
        return _credential(status, complaint, said)
    if status in _NOT_THE_CLIENTS or (status not in _PASSED_ON and not said):
        return errors.Malformed(
            f"The upstream does not take the request as it is sent (status {status}).",
            detail=said,
            hint=_CHECK_BASE_URL,
        )
    if status in (400, 404) and _UNKNOWN_MODEL.search(words):
        return errors.UnknownModel(said or "The upstream does not know this model.")
    if status == 404 and not is_json:
        return errors.Rejected("The upstream has nothing at this path.", status=status, hint=_CHECK_BASE_URL)
    return errors.Rejected(
        said or f"The upstream refused the request (status {status}).",
        status=told,
        param=clean_message(complaint.param)[:100] or None,
        code=_code_word(complaint.code),
    )


def _code_word(code: str) -> str | None:
    """A code such as `invalid_value` is passed on; numbers and sentences are not."""
    return code if re.fullmatch(r"[a-z][a-z_]{2,48}", code) else None
