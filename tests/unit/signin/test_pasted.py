from __future__ import annotations

import pytest

from iflow_cli_proxy.core.errors import InvalidRequest, LoginRequired
from iflow_cli_proxy.signin.pasted import code_from, key_from

STATE = "c0ffee"


@pytest.mark.parametrize(
    "text",
    [
        "abcd-1234",
        "  abcd-1234 \n",
        "'abcd-1234'",
        '"abcd-1234"\r\n',
        "“abcd-1234”",
        "`abcd-1234`",
        "abcd\n-1234",
        "code=abcd-1234",
        "code=abcd-1234&state=c0ffee",
        "?code=abcd-1234&state=c0ffee",
        "state=c0ffee&code=abcd-1234",
        "http://localhost:11451/oauth2callback?code=abcd-1234&state=c0ffee",
        "localhost:11451/oauth2callback?code=abcd-1234&state=c0ffee",
        "http://127.0.0.1:1/cb?state=c0ffee&scope=a+b&code=abcd-1234#",
        "https://iflow.cn/oauth/code-display?code=abcd-1234&state=c0ffee",
        "https://id.example/cb#code=abcd-1234&state=c0ffee",
        "https://id.example/cb#?code=abcd-1234&state=c0ffee",
        "https://id.example/cb?state=c0ffee#code=abcd-1234",
        "https://id.example/cb?code=abcd-1234&state=c0ffee#_=_",
        "#code=abcd-1234",
        "<http://localhost/cb?code=abcd-1234&state=c0ffee>",
        "  http://localhost:1/cb?code=abcd-\n   1234&state=c0f\n   fee  ",
        "abcd%2D1234",
    ],
)
def test_the_code_is_found_in_every_shape_it_is_pasted_in(text: str) -> None:
    assert code_from(text, state=STATE) == "abcd-1234"


def test_a_bare_code_may_end_in_padding() -> None:
    assert code_from("YWJjZA==", state=STATE) == "YWJjZA=="


@pytest.mark.parametrize(
    "text", ["code=abc&state=other", "http://localhost/cb?code=abc&state=c0ffe", "#code=a&state=x"]
)
def test_i49_a_code_of_another_sign_in_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="another sign-in"):
        code_from(text, state=STATE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "''",
        "http://localhost:11451/oauth2callback",
        "https://iflow.cn/oauth?loginMethod=phone&state=c0ffee&client_id=1",
        "https://id.example/?decode=abc",
        "?state=c0ffee",
        "code=",
        "?code=&state=c0ffee",
        "code=a&code=b",
        "please sign in here",
        "x" * 5000,
        "x" * 10_240,
        "http://localhost/cb?code=" + "x" * 10_240,
        "abc\x00def",
        "\x1b[200~abc\x1b[201~",
        "code=abc%0Adef",
        "授权码",
        "\u202eabc",
        "abc-123",
        "exit",
        "what?now",
        "rm;reboot",
        "ab<cdefgh",
    ],
)
def test_nonsense_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        code_from(text, state=STATE)
    assert caught.value.hint
    assert "\x1b" not in caught.value.message


@pytest.mark.parametrize("text", ["error=access_denied", "http://localhost/cb?error=access_denied&state=c0ffee"])
def test_i50_a_pasted_refusal_ends_the_sign_in(text: str) -> None:
    with pytest.raises(LoginRequired) as caught:
        code_from(text, state=STATE)
    assert caught.value.code == "access_denied"


@pytest.mark.parametrize("text", [" sk-0123\n", '"sk-0123"', "Bearer sk-0123", "Authorization: Bearer sk-0123"])
def test_a_key_is_found_in_what_was_copied_with_it(text: str) -> None:
    assert key_from(text).reveal() == "sk-0123"


@pytest.mark.parametrize(
    "text", ["", " ", "Bearer ", "sk 0123", "enc:gAAAA", "sk-0\x00", "密钥", "s" * 5000, "sk\u200b-1"]
)
def test_what_cannot_be_a_key_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        key_from(text)
    assert caught.value.hint
    assert "gAAAA" not in caught.value.message
