from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, LoginRequired, Malformed, Overloaded, RateLimited
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers.oauth_refusal import LARGEST_BYTES, error_word, is_good, object_in, refusal
from iflow_cli_proxy.providers.signin import OAuthAnswer, OAuthClient

CLIENT = OAuthClient(provider="desk", token_url="https://id.example.com/token", client_id="c")
PAGE = b"<!doctype html><html><body>Sign in to the hotel's network</body></html>"
IFLOW_BUSY = {
    "success": False,
    "code": "500",
    "message": "当前找我聊的人太多了，可以晚点再来问我哦。",  # noqa: RUF001
    "exception": None,
    "data": None,
    "extra": None,
}


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> OAuthAnswer:
    data = body if isinstance(body, bytes) else jsonx.encode(body)
    return OAuthAnswer(status=status, headers=headers or {}, body=data)


def refused(status: int, body: Any, headers: dict[str, str] | None = None, **more: Any) -> GatewayError:
    given = answer(status, body, headers)
    return refusal(CLIENT, given, object_in(given), lacks="access token", now=0.0, **more)


FOR_GOOD = [
    (400, {"error": "invalid_grant"}, "invalid_grant"),
    (401, {"error": "invalid_token"}, "invalid_token"),
    (400, {"error": "access_denied"}, "access_denied"),
    (200, {"error": "access_denied"}, "access_denied"),
    (400, {"error": "expired_token"}, "expired_token"),
    (400, {"error": "login_required"}, "login_required"),
    (403, {"error": "access_denied"}, "access_denied"),
    (200, {"error": "invalid_grant", "error_description": "d"}, "invalid_grant"),
    (400, {"error": {"code": "invalid_grant", "message": "m"}}, "invalid_grant"),
    (400, {"error": "INVALID_GRANT"}, "invalid_grant"),
    (400, {"message": "invalid_grant: refresh token is used up"}, "invalid_grant"),
    (401, {"msg": "Invalid token"}, "invalid_grant"),
    (400, {"error": "invalid_request", "error_description": "Invalid refresh token or client_id"}, "invalid_grant"),
    (200, {"success": False, "code": "500", "message": "refresh token expired"}, "invalid_grant"),
    (400, b"oauth: invalid_grant", "invalid_grant"),
    (401, b"<html>error=invalid_token</html>", "invalid_grant"),
    (200, {"success": False, "code": "401", "message": "who are you"}, None),
    (400, {"error": "invalid_request"}, "invalid_request"),
    (400, {"status": "fail"}, "fail"),
    (400, b"", None),
    (400, b"Bad Request", None),
    (401, {}, None),
    (403, {"detail": "no"}, None),
]


@pytest.mark.parametrize(("status", "body", "code"), FOR_GOOD)
def test_what_a_server_states_to_be_over_needs_a_person(status: int, body: Any, code: str | None) -> None:
    error = refused(status, body)
    assert type(error) is LoginRequired
    assert (error.code, error.status, error.hint) == (code, status, "run `iflow2api login desk`")


MISFITS = [
    ("invalid_client", "client_id"),
    ("unauthorized_client", "client_id"),
    ("unsupported_grant_type", "token_url"),
    ("invalid_scope", "scope"),
    ("redirect_uri_mismatch", "redirect_path"),
]


@pytest.mark.parametrize(("word", "leaf"), MISFITS)
@pytest.mark.parametrize("status", [200, 400, 401])
def test_a_client_the_server_does_not_like_is_told_with_the_setting_to_look_at(
    status: int, word: str, leaf: str
) -> None:
    error = refused(status, {"error": word, "error_description": "Unknown client."})
    assert type(error) is LoginRequired
    assert (error.code, error.param) == (word, f"providers.desk.oauth.{leaf}")
    assert error.hint == f"check providers.desk.oauth.{leaf}"
    assert error.message.endswith("It says: Unknown client.")


MAY_PASS = [
    (200, IFLOW_BUSY, Overloaded),
    (400, IFLOW_BUSY, Overloaded),
    (200, {"success": False, "code": "503", "message": ""}, Overloaded),
    (200, {"success": False, "message": "服务器过载"}, Overloaded),
    (200, {"success": False, "message": "网络异常"}, Overloaded),
    (200, {"success": False, "message": "gateway timeout"}, Overloaded),
    (200, {"success": False, "message": "Server overload"}, Overloaded),
    (400, {"error": "temporarily_unavailable"}, Overloaded),
    (400, {"error": "server_error"}, Overloaded),
    (408, b"", Overloaded),
    (425, {}, Overloaded),
    (500, b"", Overloaded),
    (502, PAGE, Overloaded),
    (503, {"error": "invalid_grant"}, Overloaded),
    (504, PAGE, Overloaded),
    (429, b"", RateLimited),
    (429, {"error": "x"}, RateLimited),
    (200, {"success": False, "code": "429", "message": ""}, RateLimited),
    (200, {"success": False, "message": "Too many requests"}, RateLimited),
    (400, {"message": "rate limit"}, RateLimited),
    (400, {"message": "quota used up"}, RateLimited),
]


@pytest.mark.parametrize(("status", "body", "kind"), MAY_PASS)
def test_what_may_pass_costs_nobody_a_sign_in(status: int, body: Any, kind: type[GatewayError]) -> None:
    assert type(refused(status, body)) is kind


NONSENSE = [
    (200, PAGE, "a web page instead of JSON (status 200)"),
    (400, PAGE, "a web page instead of JSON (status 400)"),
    (200, b"", "something that is not a JSON object"),
    (200, b"ok", "something that is not a JSON object"),
    (200, [], "something that is not a JSON object"),
    (200, b'{"access_token": "at", "expires_in": NaN}', "something that is not a JSON object"),
    (200, b'{"access_token": "at", "expires_in": 1' + b"0" * 5000 + b"}", "something that is not a JSON object"),
    (200, b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "something that is not a JSON object"),
    (200, b" " * (LARGEST_BYTES * 2), "an answer of more than 1048576 bytes"),
    (302, PAGE, "a redirect (status 302), which is not followed"),
    (302, {}, "a redirect (status 302), which is not followed"),
    (404, {"detail": "Not Found"}, "status 404: there is no such service at this address. It says: Not Found"),
    (404, PAGE, "a web page instead of JSON (status 404)"),
    (410, b"", "status 410: there is no such service at this address"),
    (422, {}, "status 422, which says nothing about the sign-in"),
]


@pytest.mark.parametrize(("status", "body", "what"), NONSENSE)
def test_i56_an_answer_from_somebody_else_says_nothing_about_the_account(status: int, body: Any, what: str) -> None:
    error = refused(status, body)
    assert type(error) is Malformed
    assert error.message.startswith(f"The sign-in server sent {what}")
    assert "doctor" in error.hint


@pytest.mark.parametrize("body", [{}, {"success": True}, {"success": False}, {"token": "x"}, {"access_token": None}])
def test_a_200_without_what_was_asked_for_is_malformed(body: Any) -> None:
    error = refused(200, body)
    assert type(error) is Malformed
    assert error.message == "The sign-in server's answer has no access token."


def test_json_that_is_called_a_page_is_read_as_json() -> None:
    error = refused(400, {"reason": "gone"}, {"content-type": "text/html; charset=utf-8"})
    assert type(error) is LoginRequired
    assert type(refused(400, b"gone", {"content-type": "Text/HTML"})) is Malformed


def test_a_status_inside_of_a_200_is_the_one_that_is_told() -> None:
    error = refused(200, {"success": False, "code": "403", "message": "no"})
    assert error.message == "The sign-in server refuses this sign-in (status 403). It says: no"


def test_too_many_asks_for_five_minutes_or_more() -> None:
    assert refused(429, {}).retry_after_s == 300.0
    assert refused(429, {}, {"retry-after": "20"}).retry_after_s == 300.0
    assert refused(429, {}, {"retry-after": "900"}).retry_after_s == 900.0
    assert refused(429, {}, rest_s=10.0).retry_after_s == 10.0


def test_an_overloaded_server_may_say_when_to_come_back() -> None:
    assert refused(503, b"", {"retry-after": "20"}).retry_after_s == 20.0
    assert refused(503, b"").retry_after_s is None


def test_i45_words_of_a_server_are_cleaned_and_secrets_it_echoes_are_hidden() -> None:
    said = "\x1b[31mtoken rt-4567 from https://10.1.2.3/x\x1b[0m is <b>dead</b>\nsk-0123456789abcdef"
    error = refused(400, {"error": "invalid_grant", "error_description": said}, secrets=[Secret("rt-4567")])
    assert error.message == (
        "The sign-in server did not accept this code. It says: token [secret] from [address] is dead [secret]"
    )


def test_words_of_a_failure_that_may_pass_are_for_the_log_only() -> None:
    error = refused(200, IFLOW_BUSY)
    assert error.message == "The sign-in server cannot answer now."
    assert "太多" in error.detail


def test_a_client_without_a_name_gets_hints_without_one() -> None:
    given = answer(400, {"error": "invalid_grant"})
    nameless = OAuthClient(token_url="https://x", client_id="c")
    assert refusal(nameless, given, object_in(given), lacks="x", now=0.0).hint == "run `iflow2api login`"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (None, ""),
        ({}, ""),
        ({"error": "slow_down"}, "slow_down"),
        ({"error": {"type": "slow_down"}}, "slow_down"),
        ({"status": "pending"}, "pending"),
        ({"error": "A whole sentence."}, ""),
        ({"error": "rt_0123abcd"}, ""),
        ({"error": 3}, ""),
        ({"error": "x" * 500}, ""),
    ],
)
def test_the_code_of_an_error_is_found_wherever_it_stands(body: Any, word: str) -> None:
    assert error_word(body) == word


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {}, True),
        (201, {"success": True, "error": None}, True),
        (200, {"error": ""}, True),
        (200, {"error": "x"}, False),
        (200, {"success": False}, False),
        (200, {"success": "false"}, False),
        (400, {}, False),
        (302, {}, False),
        (200, None, False),
    ],
)
def test_success_is_a_status_without_an_error_beside_it(status: int, body: Any, expected: bool) -> None:
    assert is_good(answer(status, {}), body) is expected
