from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import errors
from iflow_cli_proxy.core.errors import GatewayError, Retry
from iflow_cli_proxy.providers.errors import error_from_http

NOW = 1_760_000_000.0
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}


def error(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


def find(status: int, body: Any = None, headers: dict[str, str] | None = None) -> GatewayError:
    found = error_from_http(status, headers or JSON, body, now=NOW)
    assert found is not None
    return found


@pytest.mark.parametrize("status", [400, 404, 406, 409, 410, 413, 415, 416, 418, 422, 424, 434, 451, 499])
def test_f36_a_refusal_keeps_its_words_and_a_status_that_clients_know_and_is_never_retried(status: int) -> None:
    found = find(status, error("temperature is too hot", param="temperature", code="invalid_value"))
    assert type(found) is errors.Rejected
    assert (found.status, found.message, found.param, found.code) == (
        status if status in (400, 404, 409, 413, 415, 422, 451) else 400,
        "temperature is too hot",
        "temperature",
        "invalid_value",
    )
    assert found.retry is Retry.NEVER
    assert found.blame is errors.Blame.CLIENT


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error("maximum context length is 8 tokens"), errors.ContextOverflow),
        (400, error("x", code="context_length_exceeded"), errors.ContextOverflow),
        (413, error("the request exceeds the available context size"), errors.ContextOverflow),
        (500, error("Input is too long for requested model"), errors.ContextOverflow),
        (400, error("x", code="content_filter"), errors.ContentFiltered),
        (400, error("Input data may contain inappropriate content."), errors.ContentFiltered),
        (403, error("Your input was flagged by moderation"), errors.ContentFiltered),
        (404, error("The model `m` does not exist"), errors.UnknownModel),
        (400, error("Model Not Exist"), errors.UnknownModel),
        (404, error('model "m" not found, try pulling it first'), errors.UnknownModel),
        (401, error("Incorrect API key provided"), errors.LoginRequired),
        (401, None, errors.LoginRequired),
        (401, error("token expired"), errors.Expired),
        (401, error("invalid or expired token"), errors.LoginRequired),
        (401, error("this key has been disabled"), errors.Blocked),
        (403, error("account suspended"), errors.Blocked),
        (403, None, errors.Revoked),
        (402, error("Insufficient Balance"), errors.QuotaExhausted),
        (429, error("Rate limit reached for requests"), errors.RateLimited),
        (429, error("You exceeded your current quota", code="insufficient_quota"), errors.QuotaExhausted),
        (429, None, errors.RateLimited),
        (408, None, errors.Overloaded),
        (425, None, errors.Overloaded),
        (500, error("boom"), errors.Failing),
        (502, None, errors.Failing),
        (504, None, errors.Failing),
        (520, None, errors.Failing),
        (503, error("busy"), errors.Overloaded),
        (529, None, errors.Overloaded),
        (301, None, errors.Malformed),
        (304, None, errors.Malformed),
        (307, None, errors.Malformed),
        (101, None, errors.Malformed),
        (204, None, errors.Malformed),
        (999, None, errors.Malformed),
        (0, None, errors.Malformed),
    ],
)
def test_a_status_and_its_words_become_the_right_error(status: int, body: Any, kind: type[GatewayError]) -> None:
    assert type(find(status, body)) is kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (error("slow down", code=429), errors.RateLimited),
        (error("x", code="429"), errors.RateLimited),
        (error("x", type="rate_limit_error"), errors.RateLimited),
        (error("x", code="insufficient_quota"), errors.QuotaExhausted),
        (error("x", type="authentication_error"), errors.LoginRequired),
        (error("x", type="overloaded_error"), errors.Overloaded),
        (error("x", type="server_error"), errors.Failing),
        (error("x", code="context_length_exceeded"), errors.ContextOverflow),
        (error("x", type="invalid_request_error"), errors.Rejected),
        (error("request timed out"), errors.Failing),
        (error("gremlins"), errors.Failing),
        ({"error": "gremlins"}, errors.Failing),
        ({"base_resp": {"status_code": 1002, "status_msg": "rate limit"}, "choices": None}, errors.RateLimited),
        ({"detail": "Not authenticated"}, errors.LoginRequired),
        ({"choices": [{"finish_reason": "error"}], "error": {"code": 502, "message": "x"}}, errors.Failing),
        ({"object": "chat.completion", "id": "c"}, errors.Malformed),
        ({}, errors.Malformed),
        ([], errors.Malformed),
        (3, errors.Malformed),
        ("text", errors.Malformed),
        ({"choices": None}, errors.Malformed),
    ],
)
def test_f39_a_200_that_is_no_answer_is_an_error(body: Any, kind: type[GatewayError]) -> None:
    assert type(find(200, body)) is kind


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"message": {"content": "hi"}}]},
        {"choices": [], "usage": {"total_tokens": 1}},
        {"object": "chat.completion.chunk", "usage": {"total_tokens": 1}},
        {"choices": [{}], "error": None},
    ],
)
def test_a_good_answer_is_no_error(body: Any) -> None:
    assert error_from_http(200, JSON, body, now=NOW) is None


def test_a_200_without_json_tells_a_page_from_nothing() -> None:
    assert type(find(200, None, HTML)) is errors.WebPage
    assert type(find(200, None, {"content-length": "0"})) is errors.EmptyAnswer
    assert type(find(200, None, {"content-type": "text/event-stream"})) is errors.EmptyAnswer
    assert type(find(200, None, JSON)) is errors.Malformed


def test_a_404_that_is_a_page_points_at_the_base_url() -> None:
    page, answer = find(404, None, HTML), find(404, error("no such route"))
    assert (type(page), page.status) == (errors.Rejected, 404)
    assert "base_url" in page.hint
    assert (answer.message, answer.hint) == ("no such route", "")


def test_f33_the_wait_of_a_429_is_passed_on_also_as_a_date() -> None:
    assert find(429, None, {"retry-after": "7"}).retry_after_s == 7
    assert find(429, None, {"retry-after": "Thu, 09 Oct 2025 08:54:20 GMT"}).retry_after_s == 60
    assert find(503, None, {"retry-after": "99999"}).retry_after_s == 99_999, "how long it rests is a setting"


def test_f34_a_429_that_is_a_page_is_still_a_rate_limit() -> None:
    found = find(429, None, {**HTML, "retry-after": "3"})
    assert isinstance(found, errors.RateLimited)
    assert found.retry_after_s == 3


def test_f32_a_redirect_says_that_it_is_not_followed_and_not_where_to() -> None:
    found = find(302, None, {"location": "http://evil.example/"})
    assert "not followed" in found.message
    assert "evil" not in found.message + found.detail + found.hint


LEAKY = "see /srv/app/main.py, http://10.1.2.3:8080/x and sk-canary0123456789"


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 422, 429, 500, 503, 999])
def test_no_error_ever_repeats_a_path_an_address_or_a_key(status: int) -> None:
    found = find(status, error(LEAKY, param=LEAKY, code=LEAKY, type=LEAKY))
    everything = f"{found.message} {found.detail} {found.hint} {found.param} {found.code}"
    for canary in ("srv", "10.1.2.3", "canary"):
        assert canary not in everything


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_words_of_a_failure_are_for_the_log_only(status: int) -> None:
    found = find(status, error("purple gremlins"))
    assert "gremlins" not in found.message
    assert "gremlins" in found.detail


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (434, "Invalid apiKey"),
        (434, "invalid token"),
        (419, "Authentication failed"),
        (400, "API key not valid. Please pass a valid API key."),
        (400, "Incorrect API key provided: [secret]."),
        (404, "Unauthorized"),
        (422, "missing api-key"),
    ],
)
def test_f38_a_refused_key_is_about_the_account_whatever_the_status(status: int, message: str) -> None:
    assert type(find(status, error(message))) is errors.LoginRequired
    assert type(find(200, error(message, code=status))) is errors.LoginRequired


@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize("message", ["Invalid key `foo` in metadata", "invalid token at position 7 of the JSON"])
def test_f36_keys_and_tokens_of_the_request_itself_are_the_clients(status: int, message: str) -> None:
    assert type(find(status, error(message))) is errors.Rejected


@pytest.mark.parametrize("status", [405, 407, 411, 414, 421, 426, 431])
def test_a_status_about_the_call_itself_is_not_the_clients_fault(status: int) -> None:
    found = find(status, error("not like that"))
    assert type(found) is errors.Malformed
    assert "base_url" in found.hint
    assert found.detail == "not like that"


@pytest.mark.parametrize("status", [406, 410, 418, 434, 499])
def test_an_odd_status_without_words_is_not_the_clients_fault(status: int) -> None:
    assert type(find(status, None, HTML)) is errors.Malformed


def test_a_filters_403_is_told_as_400() -> None:
    """A client's own key was fine, so it must not read 403."""
    found = find(403, error("Your input was flagged by moderation"))
    assert (type(found), found.status) == (errors.ContentFiltered, 400)
