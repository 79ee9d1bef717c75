from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, LoginRequired, Malformed, Overloaded, RateLimited
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import Tokens
from iflow_cli_proxy.providers.oauth_answers import read_device, read_poll, read_tokens
from iflow_cli_proxy.providers.signin import OAuthAnswer, OAuthClient, Waiting

NOW = 1_760_000_000.0
PAGE = b"<html><body>502 Bad Gateway</body></html>"


def portal_only(value: str) -> str:
    return f"https://{value}/v1" if value.endswith(".qwen.ai") else ""


CLIENT = OAuthClient(
    provider="qwen",
    token_url="https://id.example.com/token",
    client_id="c",
    scope="openid",
    base_url_fields=("resource_url", "endpoint"),
    base_url_of=portal_only,
)
OLD = Tokens(
    access_token=Secret("at-old"),
    refresh_token=Secret("rt-old"),
    expires_at=NOW - 5,
    scope="read",
    base_url="https://portal.qwen.ai/v1",
)
TOKENS = {"access_token": "at-0123", "refresh_token": "rt-4567", "expires_in": 172800, "token_type": "bearer"}
GRANT = {
    "device_code": "dc-0123",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://chat.qwen.ai/authorize",
    "verification_uri_complete": "https://chat.qwen.ai/authorize?user_code=ABCD-EFGH&client=qwen-code",
    "expires_in": 900,
    "interval": 5,
}


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> OAuthAnswer:
    data = body if isinstance(body, bytes) else jsonx.encode(body)
    return OAuthAnswer(status=status, headers=headers or {}, body=data)


def tokens(body: Any, old: Tokens | None = None) -> Tokens:
    return read_tokens(CLIENT, answer(body), now=NOW, old=old)


# --- tokens -------------------------------------------------------------------------------------------------------


def test_a_token_answer_becomes_tokens() -> None:
    assert tokens({**TOKENS, "scope": "read write", "resource_url": "portal.qwen.ai"}) == Tokens(
        access_token=Secret("at-0123"),
        refresh_token=Secret("rt-4567"),
        expires_at=NOW + 172_800,
        token_type="bearer",
        scope="read write",
        base_url="https://portal.qwen.ai/v1",
    )


def test_a_rotated_refresh_token_replaces_the_old_one() -> None:
    assert tokens(TOKENS, OLD).refresh_token == Secret("rt-4567")


@pytest.mark.parametrize("given", [{}, {"refresh_token": None}, {"refresh_token": ""}, {"refresh_token": 7}])
def test_i56_what_an_answer_does_not_say_stays(given: dict[str, Any]) -> None:
    read = tokens({"access_token": "at-new", **given}, OLD)
    assert read == replace(OLD, access_token=Secret("at-new"), expires_at=None)


def test_a_first_answer_without_refresh_token_cannot_be_refreshed() -> None:
    read = tokens({"access_token": "at-new", "refresh_token": None})
    assert (read.refresh_token, read.scope, read.base_url) == (Secret(), "openid", "")


@pytest.mark.parametrize(
    ("given", "life_s"),
    [
        (3600, 3600),
        (3600.5, 3600.5),
        ("3600", 3600),
        (" 3600 ", 3600),
        ("3600.0", 3600),
        (315_360_000, 315_360_000),
    ],
)
def test_i56_a_lifetime_is_a_number_of_seconds(given: Any, life_s: float) -> None:
    assert tokens({**TOKENS, "expires_in": given}).expires_at == NOW + life_s


@pytest.mark.parametrize(
    "given",
    [
        None,
        0,
        -1,
        1e12,
        315_360_001,
        True,
        "",
        "soon",
        "NaN",
        "inf",
        "1_000",
        "\u0663",
        "1e3",
        [],
        {},
        "9" * 50,
    ],
)
def test_i56_a_lifetime_that_makes_no_sense_is_unknown_and_loses_no_rotated_token(given: Any) -> None:
    read = tokens({**TOKENS, "expires_in": given}, OLD)
    assert (read.expires_at, read.refresh_token) == (None, Secret("rt-4567"))


@pytest.mark.parametrize("given", [None, "", "bearer", "Bearer", "BEARER"])
def test_bearer_tokens_are_taken_however_they_are_spelled(given: Any) -> None:
    assert tokens({**TOKENS, "token_type": given}).token_type == (given or "bearer")


@pytest.mark.parametrize("given", ["mac", "DPoP", 3, ["bearer"]])
def test_i56_tokens_of_another_type_are_refused(given: Any) -> None:
    with pytest.raises(Malformed, match="only bearer tokens"):
        tokens({**TOKENS, "token_type": given})


@pytest.mark.parametrize(
    "given", [None, "", "  ", 3, {}, "two words", "at\r\nx-evil: 1", "at\x00", "t\u00f6ken", "x" * 20_000]
)
def test_an_access_token_that_cannot_stand_in_a_header_is_none(given: Any) -> None:
    with pytest.raises(Malformed, match="has no access token"):
        tokens({**TOKENS, "access_token": given})


def test_a_scope_may_be_a_list_and_nonsense_keeps_the_old_one() -> None:
    assert tokens({**TOKENS, "scope": ["a", "b"]}).scope == "a b"
    assert tokens({**TOKENS, "scope": "a\x1b[31m"}, OLD).scope == "read"
    assert tokens({**TOKENS, "scope": 3}, OLD).scope == "read"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"endpoint": "portal.qwen.ai"}, "https://portal.qwen.ai/v1"),
        ({"resource_url": "", "endpoint": "portal.qwen.ai"}, "https://portal.qwen.ai/v1"),
        ({"resource_url": "evil.example", "endpoint": "x.qwen.ai"}, "https://x.qwen.ai/v1"),
        ({"resource_url": "evil.example"}, ""),
        ({"resource_url": 3}, ""),
        ({}, ""),
    ],
)
def test_a_base_url_is_only_what_the_provider_makes_of_it(given: dict[str, Any], expected: str) -> None:
    assert tokens({**TOKENS, **given}).base_url == expected
    assert tokens({**TOKENS, **given}, OLD).base_url == (expected or OLD.base_url)


def test_a_client_that_trusts_no_base_url_gets_none() -> None:
    trusting_nobody = replace(CLIENT, base_url_of=None)
    given = answer({**TOKENS, "resource_url": "portal.qwen.ai"})
    assert read_tokens(trusting_nobody, given, now=NOW).base_url == ""


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {**TOKENS, "success": False, "code": "500"}, Overloaded),
        (200, {**TOKENS, "error": "invalid_grant"}, LoginRequired),
        (400, TOKENS, LoginRequired),
        (500, TOKENS, Overloaded),
        (302, TOKENS, Malformed),
        (200, PAGE, Malformed),
        (200, b" " * 2_000_000, Malformed),
        (200, {"status": "success"}, Malformed),
        (429, {}, RateLimited),
    ],
)
def test_tokens_beside_a_failure_are_not_taken(status: int, body: Any, kind: type[GatewayError]) -> None:
    with pytest.raises(kind) as caught:
        read_tokens(CLIENT, answer(body, status), now=NOW, old=OLD)
    assert type(caught.value) is kind


def test_i45_the_tokens_we_hold_are_in_no_message() -> None:
    said = {"error": "invalid_grant", "error_description": "rt-old of at-old is dead"}
    with pytest.raises(LoginRequired) as caught:
        read_tokens(CLIENT, answer(said, 400), now=NOW, old=OLD)
    assert "[secret] of [secret] is dead" in caught.value.message


def test_what_is_refused_is_called_a_code_at_a_login_and_a_sign_in_at_a_refresh() -> None:
    for word in ("invalid_grant", "invalid_token"):
        with pytest.raises(LoginRequired, match="no longer accepts this sign-in"):
            read_tokens(CLIENT, answer({"error": word}, 400), now=NOW, old=OLD)
    with pytest.raises(LoginRequired, match="did not accept this code"):
        read_tokens(CLIENT, answer({"error": "invalid_grant"}, 400), now=NOW)
    with pytest.raises(LoginRequired, match="did not accept this code"):
        read_poll(CLIENT, answer({"error": "invalid_grant"}, 400), now=NOW)


# --- device codes -------------------------------------------------------------------------------------------------


def test_a_device_answer_becomes_a_grant() -> None:
    grant = read_device(CLIENT, answer(GRANT), now=NOW)
    assert grant.device_code == Secret("dc-0123")
    assert grant.user_code == "ABCD-EFGH"
    assert grant.verification_uri == "https://chat.qwen.ai/authorize"
    assert grant.verification_uri_complete == GRANT["verification_uri_complete"]
    assert (grant.expires_in_s, grant.interval_s) == (900.0, 5.0)


@pytest.mark.parametrize(
    ("given", "interval_s"),
    [
        (None, 5), (5, 5), (7.5, 7.5), ("10", 10), (1, 2), (0, 2), (-3, 2), (1e9, 60), (61, 60), ("x", 5), (True, 5),
        ([], 5), ("NaN", 5),
    ],
)  # fmt: skip
def test_i55_the_interval_is_sane_whatever_the_server_says(given: Any, interval_s: float) -> None:
    assert read_device(CLIENT, answer({**GRANT, "interval": given}), now=NOW).interval_s == interval_s


@pytest.mark.parametrize(
    ("given", "life_s"),
    [(None, 900), (600, 600), ("600", 600), (0.2, 1), (0, 900), (-5, 900), (1e9, 3600), ("x", 900), (False, 900)],
)
def test_i55_the_flow_ends_in_time_whatever_the_server_says(given: Any, life_s: float) -> None:
    assert read_device(CLIENT, answer({**GRANT, "expires_in": given}), now=NOW).expires_in_s == life_s


def test_i55_an_answer_without_interval_and_expiry_gets_the_usual_ones() -> None:
    bare = {name: GRANT[name] for name in ("device_code", "user_code", "verification_uri")}
    grant = read_device(CLIENT, answer(bare), now=NOW)
    assert (grant.verification_uri_complete, grant.expires_in_s, grant.interval_s) == ("", 900.0, 5.0)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "file:///etc/passwd", "http://evil.example/", "https://a@evil.example/", "\x1b]8;;x", 3],
)
def test_i54_a_page_that_is_not_safe_is_neither_shown_nor_opened(url: Any) -> None:
    grant = read_device(CLIENT, answer({**GRANT, "verification_uri_complete": url}), now=NOW)
    assert (grant.verification_uri, grant.verification_uri_complete) == ("https://chat.qwen.ai/authorize", "")
    with pytest.raises(Malformed, match="safe to open") as caught:
        read_device(CLIENT, answer({**GRANT, "verification_uri": url, "verification_uri_complete": url}), now=NOW)
    assert str(url) not in caught.value.message


def test_an_address_with_the_code_in_it_is_page_enough() -> None:
    grant = read_device(CLIENT, answer({**GRANT, "verification_uri": None}), now=NOW)
    assert grant.verification_uri == grant.verification_uri_complete == GRANT["verification_uri_complete"]


def test_the_page_of_this_machine_and_the_old_name_of_the_field_are_taken() -> None:
    local = {**GRANT, "verification_uri": None, "verification_url": "http://127.0.0.1:9801/device"}
    assert read_device(CLIENT, answer(local), now=NOW).verification_uri == "http://127.0.0.1:9801/device"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("ABCD-EFGH", "ABCD-EFGH"),
        ("  ABCD EFGH\n", "ABCD EFGH"),
        ("\x1b[31mABCD\x1b[0m-EFGH", "ABCD-EFGH"),
        ("\x1b]0;title\x07ABCD", "ABCD"),
        ("AB\u202eCD\u200b", "ABCD"),
    ],
)
def test_i54_a_user_code_is_shown_without_terminal_tricks(given: str, shown: str) -> None:
    assert read_device(CLIENT, answer({**GRANT, "user_code": given}), now=NOW).user_code == shown


@pytest.mark.parametrize("given", [None, "", "\x1b[31m", 3, "A" * 65, "\u0410BCD"])
def test_i54_a_user_code_nobody_could_type_is_refused(given: Any) -> None:
    with pytest.raises(Malformed, match="could type"):
        read_device(CLIENT, answer({**GRANT, "user_code": given}), now=NOW)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"error": "invalid_client"}, LoginRequired),
        (200, {**GRANT, "error": "access_denied"}, LoginRequired),
        (400, {"error": "invalid_scope"}, LoginRequired),
        (200, {}, Malformed),
        (200, {**GRANT, "device_code": ""}, Malformed),
        (200, PAGE, Malformed),
        (404, PAGE, Malformed),
        (503, PAGE, Overloaded),
        (429, {}, RateLimited),
    ],
)
def test_no_device_code_no_flow(status: int, body: Any, kind: type[GatewayError]) -> None:
    with pytest.raises(kind) as caught:
        read_device(CLIENT, answer(body, status), now=NOW)
    assert type(caught.value) is kind


# --- polls --------------------------------------------------------------------------------------------------------


def test_a_poll_that_succeeds_brings_tokens() -> None:
    read = read_poll(CLIENT, answer({"status": "success", **TOKENS}), now=NOW)
    assert isinstance(read, Tokens)
    assert read.access_token == Secret("at-0123")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "authorization_pending"}),
        (428, {"error": "authorization_pending", "error_description": "Precondition Required"}),
        (403, {"error": {"code": "authorization_pending"}}),
        (200, {"error": "authorization_pending"}),
        (200, {"status": "pending"}),
    ],
)
def test_a_person_who_has_not_decided_is_waited_for(status: int, body: Any) -> None:
    assert read_poll(CLIENT, answer(body, status), now=NOW) == Waiting()


def test_tokens_count_more_than_a_word_beside_them() -> None:
    assert isinstance(read_poll(CLIENT, answer({"status": "pending", **TOKENS}), now=NOW), Tokens)


@pytest.mark.parametrize("status", [200, 400, 429])
def test_i55_slow_down_is_understood_with_any_status(status: int) -> None:
    assert read_poll(CLIENT, answer({"error": "slow_down"}, status), now=NOW) == Waiting(is_slower=True)


STOPS = [
    (400, {"error": "expired_token"}, LoginRequired, "expired_token"),
    (400, {"error": "access_denied"}, LoginRequired, "access_denied"),
    (200, {"error": "access_denied"}, LoginRequired, "access_denied"),
    (401, {}, LoginRequired, None),
    (401, b"", LoginRequired, None),
    (400, {"error": "invalid_grant"}, LoginRequired, "invalid_grant"),
    (400, {"error": "invalid_client"}, LoginRequired, "invalid_client"),
    (400, {"status": "pending"}, LoginRequired, "pending"),
    (403, {"detail": "no"}, LoginRequired, None),
    (404, {"detail": "no"}, Malformed, None),
    (404, PAGE, Malformed, None),
    (302, b"", Malformed, None),
    (200, {"status": "denied"}, Malformed, "denied"),
    (200, {}, Malformed, None),
]


@pytest.mark.parametrize(("status", "body", "kind", "code"), STOPS)
def test_i55_an_answer_that_is_final_ends_the_flow(
    status: int, body: Any, kind: type[GatewayError], code: str | None
) -> None:
    with pytest.raises(kind) as caught:
        read_poll(CLIENT, answer(body, status), now=NOW)
    assert (type(caught.value), caught.value.code) == (kind, code)


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (502, PAGE), (504, PAGE), (503, {"error": "x"}), (200, PAGE), (200, b""), (200, [])],
)
def test_i55_a_poll_that_found_nobody_is_tried_again(status: int, body: Any) -> None:
    with pytest.raises(Overloaded):
        read_poll(CLIENT, answer(body, status), now=NOW)


def test_i55_too_many_polls_rest_for_seconds_not_minutes() -> None:
    with pytest.raises(RateLimited) as caught:
        read_poll(CLIENT, answer({"error": "rate_limited"}, 429), now=NOW)
    assert caught.value.retry_after_s == 10.0
    with pytest.raises(RateLimited) as caught:
        read_poll(CLIENT, answer(b"", 429, {"retry-after": "30"}), now=NOW)
    assert caught.value.retry_after_s == 30.0
