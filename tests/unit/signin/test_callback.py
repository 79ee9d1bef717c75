from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest, LoginRequired
from iflow_cli_proxy.signin.callback import FOREIGN, NO_CODE, Callback, checked_code, code_of, read_callback

STATE = "5" * 64


def judged(query: str, *, needs_state: bool = True) -> str:
    return code_of(read_callback(query), STATE, needs_state=needs_state)


def test_the_code_of_our_own_sign_in_is_taken() -> None:
    assert judged(f"code=abc&state={STATE}") == "abc"
    assert judged(f"state={STATE}&x=1&iss=https%3A%2F%2Fother.example&code=abc") == "abc"


def test_i50_an_issuer_is_not_looked_at_since_no_provider_declares_one() -> None:
    assert judged(f"code=abc&state={STATE}&iss=https%3A%2F%2Fevil.example") == "abc"


def test_percent_encoding_is_undone_and_a_plus_stays_a_plus() -> None:
    assert judged(f"code=4%2F0A+b%3D%3D&state={STATE}") == "4/0A+b=="


@pytest.mark.parametrize(
    "query",
    [
        f"code=abc&state={STATE[:-1]}",
        f"code=abc&state={STATE}x",
        "code=abc&state=%E7%8A%B6",
        "code=abc&state=\udcff",
        "code=abc",
        "code=abc&state=",
        "error=access_denied&state=other",
    ],
)
def test_i49_a_wrong_or_missing_state_is_another_sign_ins(query: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        judged(query)
    assert caught.value.code == FOREIGN


@pytest.mark.parametrize("query", ["", "x=1", f"state={STATE}", f"code=&state={STATE}", "Code=abc"])
def test_i50_an_answer_without_a_code_is_told_apart(query: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        judged(query)
    assert caught.value.code == NO_CODE


def test_a_pasted_answer_need_not_have_a_state() -> None:
    assert judged("code=abc", needs_state=False) == "abc"
    with pytest.raises(InvalidRequest):
        judged("code=abc&state=x", needs_state=False)


@pytest.mark.parametrize("query", ["code=a&code=b", f"code=a&state={STATE}&state={STATE}", "error=x&error=y"])
def test_a_parameter_that_stands_there_twice_is_refused(query: str) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        judged(query)


@pytest.mark.parametrize("code", ["a b", "a%00b", "%0d%0aX: y", "%E7%A0%81", "x" * 5000, "%FF"])
def test_a_code_with_characters_that_no_code_has_is_refused(code: str) -> None:
    with pytest.raises(InvalidRequest, match="not an authorization code"):
        judged(f"code={code}&state={STATE}")
    assert checked_code("x" * 4096)


@pytest.mark.parametrize("query", ["error=access_denied", f"error=access_denied&state={STATE}&code=abc"])
def test_i50_a_refusal_ends_the_sign_in_even_beside_a_code(query: str) -> None:
    with pytest.raises(LoginRequired) as caught:
        judged(query)
    assert caught.value.code == "access_denied"
    assert "iflow2api login" in caught.value.hint


def test_another_failure_is_told_in_clean_words() -> None:
    with pytest.raises(LoginRequired) as caught:
        judged("error=server_error&error_description=busy%1b%5B31m+<b>now</b>+sk-0123456789abcdef")
    assert caught.value.message == "The sign-in page reports a failure: busy now [secret]"
    assert caught.value.code == "server_error"


def test_a_failure_in_prose_has_no_code() -> None:
    with pytest.raises(LoginRequired) as caught:
        judged("error=%E7%99%BB%E5%BD%95%E5%A4%B1%E8%B4%A5")
    assert "登录失败" in caught.value.message
    assert caught.value.code is None


def test_i45_the_code_and_the_state_are_not_in_the_representation() -> None:
    assert "canary" not in repr(Callback(code="canary-code", state="canary-state"))
