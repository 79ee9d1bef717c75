from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError, Retry
from iflow_cli_proxy.providers.iflow.errors import SignatureRefused, find_error

JSON = {"content-type": "application/json"}
BLOCKED = "Access to the current AK has been blocked due to unauthorized requests"


def find(status: int, body: Any, headers: dict[str, str] | None = None) -> GatewayError:
    found = find_error(status, headers or JSON, body, now=0.0)
    assert found is not None
    return found


def said(status: Any, message: str) -> dict[str, Any]:
    return {"status": status, "msg": message, "body": None}


BUSINESS = [
    (said("449", "You exceeded your current rate limit"), errors.RateLimited),
    (said("439", "Your API Token has expired."), errors.Expired),
    (said("434", "Invalid apiKey，get your apiKey: https://iflow.cn/"), errors.Expired),  # noqa: RUF001
    (said("434", BLOCKED), errors.Blocked),
    (said("438", BLOCKED), errors.Blocked),
    (said("438", ""), errors.Blocked),
    (said("435", "Model not support"), errors.UnknownModel),
    (said("429", "slow down"), errors.RateLimited),
    (said(449, "number instead of text"), errors.RateLimited),
    ({"error_code": 449, "msg": "m"}, errors.RateLimited),
    ({"error_code": 8211, "msg": "m"}, errors.RateLimited),
    ({"error_code": 439, "msg": "m"}, errors.Expired),
    ({"error_code": 511, "msg": "m"}, errors.ContextOverflow),
    ({"error_code": 413, "msg": "m"}, errors.ContextOverflow),
    ({"error_code": 514, "msg": "m"}, errors.Failing),
    ({"error": {"code": "434", "message": "x"}}, errors.Expired),
    ({"error": {"message": "Invalid ApiKey"}}, errors.Expired),
    ({"error": {"message": "status 406"}}, SignatureRefused),
    (said("401", "who are you"), errors.Expired),
    (said("403", "no"), errors.Revoked),
    (said("406", "no"), SignatureRefused),
    (said("500", "boom"), errors.Failing),
    (said("503", "boom"), errors.Overloaded),
    (said("422", "bad"), errors.Rejected),
    ({"msg": "too many requests"}, errors.RateLimited),
    ({"message": "request timeout"}, errors.Overloaded),
    ({"error": {"message": "quota used"}}, errors.RateLimited),
    ({"error": {"message": "access forbidden"}}, errors.Revoked),
    ({"error": {"message": "something odd"}}, errors.Rejected),
    ({"success": False, "code": "500", "message": "当前找我聊的人太多了，可以晚点再来问我哦。"}, errors.Failing),  # noqa: RUF001
    ({"object": "chat.completion", "id": "c1"}, errors.Malformed),
    ({}, errors.Malformed),
    ([], errors.Malformed),
]


@pytest.mark.parametrize(("body", "kind"), BUSINESS)
def test_f39_a_business_error_inside_a_200_is_recognised(body: Any, kind: type[GatewayError]) -> None:
    assert type(find(200, body)) is kind


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "Bad request!: {}"}}, errors.Rejected),
        (400, said("439", "expired"), errors.Expired),
        (401, None, errors.Expired),
        (403, None, errors.Revoked),
        (403, {"error": {"message": BLOCKED}}, errors.Blocked),
        (404, {"error": {"message": "Not Found"}}, errors.Rejected),
        (406, {"error": {"message": "status 406"}}, SignatureRefused),
        (406, None, SignatureRefused),
        (413, {"error": {"message": "Payload Too Large"}}, errors.Rejected),
        (429, None, errors.RateLimited),
        (434, None, errors.Expired),
        (449, None, errors.RateLimited),
        (500, None, errors.Failing),
        (502, None, errors.Failing),
        (503, None, errors.Overloaded),
        (511, None, errors.ContextOverflow),
        (514, None, errors.Failing),
        (302, None, errors.Malformed),
    ],
)
def test_a_status_of_its_own_is_recognised(status: int, body: Any, kind: type[GatewayError]) -> None:
    assert type(find(status, body)) is kind


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"delta": {"content": "hi"}}]},
        {"choices": [{"message": {"content": "status 406"}}], "status": "200"},
        {"choices": [], "usage": {"total_tokens": 3}},
        {"choices": [{}], "status": 0, "msg": "ok"},
    ],
)
def test_a_good_answer_is_no_error(body: Any) -> None:
    assert find_error(200, JSON, body, now=0.0) is None


def test_the_blocked_text_wins_over_the_code_that_also_means_a_bad_key() -> None:
    blocked = find(200, said("434", BLOCKED))
    assert blocked.code == "account_blocked"
    assert "blocked by iFlow" in blocked.message


def test_a_refused_signature_may_be_tried_once_more_on_the_same_account() -> None:
    found = find(406, None)
    assert found.retry is Retry.SAME
    assert not found.is_ambiguous


def test_one_request_at_a_time_asks_for_a_short_rest() -> None:
    assert find(200, said("449", "")).retry_after_s == 2


def test_a_forbidden_account_rests_long() -> None:
    assert find(403, None).retry_after_s == 1800


def test_nothing_of_an_address_or_a_key_is_passed_on() -> None:
    for body, _ in BUSINESS:
        found = find(200, body)
        assert "iflow.cn" not in found.message + found.detail
    leaky = find(200, said("449", "see http://10.0.0.1/x and sk-canary0123456789"))
    assert "canary" not in leaky.message
    assert "10.0.0.1" not in leaky.message
