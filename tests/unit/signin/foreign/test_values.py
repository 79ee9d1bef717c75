"""Single values of foreign files, good and bad."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.signin.foreign.reading import Unusable
from iflow_cli_proxy.signin.foreign.values import address, count, secret, word


def test_the_first_word_that_says_something_is_taken_on_one_line() -> None:
    assert word({"email": "", "phone": " 138****0000 ", "userId": "1"}, "email", "phone", "userId") == "138****0000"
    assert word({"label": "two\n lines\t"}, "label") == "two lines"
    assert word({"label": 7}, "label", "name") == ""
    assert len(word({"label": "x" * 5000}, "label")) == 256


@pytest.mark.parametrize(("value", "counted"), [(3, 3), (0, 0), (-1, 0), (True, 0), ("3", 0), (None, 0), (1 << 60, 0)])
def test_a_count_is_a_number_that_counts(value: Json, counted: int) -> None:
    assert count({"n": value}, "n") == counted


def test_a_secret_is_trimmed_and_the_first_that_is_there() -> None:
    tree = {"apiKey": None, "api_key": " sk-0123456789abcdef\n", "searchApiKey": "sk-other"}

    assert secret(tree, "apiKey", "api_key", "searchApiKey").reveal() == "sk-0123456789abcdef"
    assert not secret({"apiKey": "  "}, "apiKey")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("enc:gAAAAAB", "encrypted"),
        (7, "not text"),
        (["sk-1"], "not text"),
        ("sk-a b", "characters"),
        ("sk-ключ", "characters"),
        ("sk-a\x00b", "characters"),
        ("sk-" + "x" * 20_000, "too many"),
    ],
)
def test_a_secret_that_cannot_be_used_says_why_and_nothing_of_itself(value: Json, reason: str) -> None:
    with pytest.raises(Unusable, match=reason) as caught:
        secret({"apiKey": value}, "apiKey")

    assert str(value) not in str(caught.value)


def test_references_to_variables_are_filled_in_where_the_program_does_so() -> None:
    tree = {"a": "$MY_KEY", "b": "sk-${REST}", "c": "$NONE"}
    environ = {"MY_KEY": "sk-1", "REST": "2"}

    assert secret(tree, "a", environ=environ).reveal() == "sk-1"
    assert secret(tree, "b", environ=environ).reveal() == "sk-2"
    assert secret(tree, "a").reveal() == "$MY_KEY"
    with pytest.raises(Unusable, match="the variable NONE, which is not set"):
        secret(tree, "c", environ=environ)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://apis.iflow.cn/v1/", "https://apis.iflow.cn/v1"),
        ("http://127.0.0.1:9801/v1", "http://127.0.0.1:9801/v1"),
        ("javascript:alert(1)", ""),
        ("https://user:word@host/v1", ""),
        ("https://host/v1?key=1", ""),
        ("file:///etc/passwd", ""),
        ("https://a b", ""),
        ("https://host:99999/v1", ""),
        ("", ""),
    ],
)
def test_an_address_is_http_without_anything_hidden_in_it(text: str, url: str) -> None:
    assert address(text) == url
