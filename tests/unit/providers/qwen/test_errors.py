from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError, Retry
from iflow_cli_proxy.providers.qwen.errors import find_error, until_midnight_s

JSON = {"content-type": "application/json"}
NOON = 1_760_011_200.0  # 2025-10-09 12:00 UTC


def find(status: int, body: Any, headers: dict[str, str] | None = None) -> GatewayError:
    found = find_error(status, headers or JSON, body, now=NOON)
    assert found is not None
    return found


def said(message: str = "", code: Any = None, type: str = "") -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "type": type, "param": None}, "request_id": "r-1"}


def ended(text: Any, word: str = "error_finish", where: str = "delta") -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, where: {"content": text}, "finish_reason": word}]}


STATUSES: list[tuple[int, Any, type[GatewayError]]] = [
    # quota goes before everything
    (429, said("You exceeded your current quota", "insufficient_quota"), errors.QuotaExhausted),
    (403, said("x", "insufficient_quota"), errors.QuotaExhausted),
    (403, said("x", type="quota_exceeded"), errors.QuotaExhausted),
    (429, said("Free allocated quota exceeded."), errors.QuotaExhausted),
    (429, said("free tier quota exceeded"), errors.QuotaExhausted),
    (401, said("access denied: quota exceeded"), errors.QuotaExhausted),
    # credentials
    (401, None, errors.Expired),
    (403, None, errors.Revoked),  # the page of a firewall
    (401, said("invalid access token or token expired"), errors.Expired),
    (403, said("Access denied"), errors.Expired),
    (400, said("Incorrect API key provided."), errors.Expired),
    (400, said("token expired"), errors.Expired),
    # the request
    (400, said("the image_url needs authentication"), errors.Rejected),
    (400, said("access denied to the file you named"), errors.Rejected),
    (400, said("<400> InternalError.Algo.InvalidParameter: tool_calls must be followed"), errors.Rejected),
    (400, said("quota exceeded is not a valid stop word"), errors.Rejected),
    (400, said("This model's maximum context length is 131072"), errors.ContextOverflow),
    (404, said("The model `x` does not exist"), errors.UnknownModel),
    (409, said("conflict"), errors.Rejected),
    (413, said("too large"), errors.Rejected),
    (422, said("validation error"), errors.Rejected),
    # rate
    (429, None, errors.RateLimited),
    (429, said("Requests throttling triggered", type="invalid_request_error"), errors.RateLimited),
    (429, said("token rate limit; token window expired"), errors.RateLimited),
    # failures that pass
    (500, said("boom"), errors.Failing),
    (502, None, errors.Failing),
    (503, said("Too many requests"), errors.Overloaded),
    (504, said("stream timeout"), errors.Failing),
    (504, said("token expired"), errors.Failing),
    (302, None, errors.Malformed),
]


@pytest.mark.parametrize(("status", "body", "kind"), STATUSES)
def test_a_status_and_its_words_are_told_apart(status: int, body: Any, kind: type[GatewayError]) -> None:
    assert type(find(status, body)) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (said("x", "insufficient_quota"), errors.QuotaExhausted),
        ({"code": "quota_exceeded", "message": "no more"}, errors.QuotaExhausted),
        ({"code": 401, "message": "who are you"}, errors.Expired),
        ({"code": "InvalidApiKey", "message": "Invalid API-key provided."}, errors.Expired),
        ({"code": "Throttling.RateQuota", "message": "Requests rate limit"}, errors.RateLimited),
        ({"code": 429, "message": "slow down"}, errors.RateLimited),
        (
            said("<400> InternalError.Algo.InvalidParameter: Range of max_tokens", "invalid_parameter_error"),
            errors.Rejected,
        ),
        (said("maximum context length"), errors.ContextOverflow),
        ({"code": 504, "message": "token expired while streaming"}, errors.Failing),
        ({"code": "ServiceUnavailable", "message": "overloaded"}, errors.Overloaded),
        ({"code": "Odd", "message": "something odd"}, errors.Failing),
        ({"choices": [{}], "error": {"message": "too many requests"}}, errors.RateLimited),
        ({"choices": None, "message": "too many requests"}, errors.RateLimited),
        ({"object": "chat.completion", "id": "c"}, errors.Malformed),
        ({}, errors.Malformed),
        ([], errors.Malformed),
        (None, errors.Malformed),
    ],
)
def test_f39_an_error_inside_a_200_is_recognised(body: Any, kind: type[GatewayError]) -> None:
    assert type(find(200, body)) is kind


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"delta": {"content": "quota exceeded"}}]},
        {"choices": [{"message": {"content": "error_finish"}, "finish_reason": "stop"}], "code": 200, "message": "ok"},
        {"choices": [], "usage": {"total_tokens": 3}},
        {"object": "chat.completion.chunk", "usage": {"total_tokens": 3}},
        {"choices": [5, None]},
    ],
)
def test_a_good_answer_is_no_error(body: Any) -> None:
    assert find_error(200, JSON, body, now=NOON) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<429> Requests throttling triggered", errors.RateLimited),
        ("error 1302: slow down", errors.RateLimited),
        ("code: 1305", errors.RateLimited),
        ("503", errors.RateLimited),
        ('{"error":{"code":"1302","message":"busy"}}', errors.RateLimited),
        ('{"error":{"code":"insufficient_quota","message":"free allocated quota exceeded"}}', errors.QuotaExhausted),
        ("<400> InternalError.Algo.InvalidParameter: bad", errors.Rejected),
        ('{"error": cut', errors.Failing),
        ("line 14290 is odd", errors.Failing),
        ("", errors.Failing),
        (None, errors.Failing),
    ],
)
@pytest.mark.parametrize("where", ["delta", "message"])
def test_the_text_beside_an_error_finish_says_what_failed(text: Any, kind: type[GatewayError], where: str) -> None:
    assert type(find(200, ended(text, where=where))) is kind


def test_a_days_quota_comes_back_at_midnight_utc() -> None:
    found = find(403, said("x", "insufficient_quota"), {"retry-after": "5"})
    assert found.retry_after_s == 43_200
    assert found.retry is Retry.OTHER_ACCOUNT
    assert until_midnight_s(NOON + 43_200) == 86_400


def test_a_rate_limit_honours_the_servers_wish() -> None:
    assert find(429, None, {"retry-after": "7"}).retry_after_s == 7
    assert find(429, None).retry_after_s is None


def test_f37_a_refused_token_may_be_tried_again_after_a_refresh() -> None:
    assert find(401, None).retry is Retry.SAME


def test_nothing_of_an_address_or_a_key_is_passed_on() -> None:
    for status in (200, 400, 401, 403, 429, 500):
        found = find(status, said("too many requests, see https://portal.qwen.ai/x with sk-canary0123456789"))
        for words in (found.message, found.detail):
            assert "canary" not in words
            assert "qwen.ai" not in words
