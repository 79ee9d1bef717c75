"""What may be written down of headers, addresses and bodies."""

from __future__ import annotations

import random

import pytest

from iflow_cli_proxy.telemetry.masking import credentials_in, shape, shown_body, shown_headers, shown_query, shown_url

CANARY = "sk-canary0123456789abcdef4f2a"
ODD = "Zx9+/plain_words.of=a-key/77"
"""A credential that looks like none."""


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Authorization", f"Bearer {CANARY}", "Bearer sk-…4f2a"),
        ("x-api-key", ODD, "…" + ODD[-4:]),
        ("X-Team-Word", ODD, "…" + ODD[-4:]),
        ("Cookie", f"session={ODD}", "…"),
        ("Set-Cookie", f"session={ODD}; Path=/", "…"),
        ("x-iflow-signature", "ab" * 32, "<64 hex>"),
        ("User-Agent", "curl/8", "curl/8"),
        ("user-agent", f"curl key {CANARY}", "curl key sk-…4f2a"),
        ("x-ratelimit-remaining", "7", "7"),
        ("content-type", "a\r\nb", "a\\x0d\\x0ab"),
    ],
)
def test_a_header_is_shown_by_what_its_name_says(name: str, value: str, shown: str) -> None:
    assert shown_headers({name: value}) == {name: shown}


def test_a_repeated_header_keeps_its_place_and_all_its_values() -> None:
    pairs = [("accept", "a"), ("host", "h"), ("accept", "b")]
    assert [*shown_headers(pairs).items()] == [("accept", "a, b"), ("host", "h")]


def test_a_long_header_is_cut() -> None:
    assert len(shown_headers({"accept": "x" * 5000})["accept"]) == 500


def test_a_query_shows_names_and_harmless_values() -> None:
    assert shown_query({"alt": "sse", "key": CANARY, "code": ODD}) == {
        "alt": "sse",
        "key": "sk-…4f2a",
        "code": "…" + ODD[-4:],
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://up.test/v1/chat", "https://up.test/v1/chat"),
        (f"https://me:{ODD.replace('/', '')}@up.test:1/v1?key=1#x", "https://up.test:1/v1?…"),
        ("http://[bad", "…"),
    ],
)
def test_an_address_is_a_place_and_nothing_else(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_credentials_are_found_by_the_names_of_their_headers() -> None:
    headers = {"authorization": f"Bearer {CANARY}", "cookie": f"a={ODD}; b=short", "x-other": "long enough value"}
    found = credentials_in(headers, {"key": "0123456789"})
    assert {CANARY, ODD, "0123456789"} <= set(found)
    assert [len(one) for one in found] == sorted(map(len, found), reverse=True)
    assert "short" not in found, "nothing this short is worth hiding, and it would hide words"
    assert "long enough value" not in found


@pytest.mark.parametrize(
    "text",
    [
        f'{{"api_key":"{ODD}"}}',
        f'{{"refreshToken": "{ODD}"}}',
        f'{{"arguments":"{{\\"client_secret\\": \\"{ODD}\\"}}"}}',
        f"Authorization: Bearer {CANARY}",
        f"said {CANARY} in passing",
    ],
)
def test_a_body_is_shown_without_what_looks_like_a_secret_or_is_called_one(text: str) -> None:
    shown = shown_body(text.encode())
    assert ODD not in shown
    assert CANARY not in shown


def test_a_credential_of_the_same_exchange_is_hidden_whatever_it_looks_like() -> None:
    assert shown_body(f"echo {ODD}!".encode(), [ODD]) == "echo [secret]!"


def test_what_is_harmless_stays_as_it_is() -> None:
    text = '{"model":"m","max_tokens":5,"token":"hello","messages":[{"content":"the key to it: 日本"}]}'
    assert shown_body(text.encode()) == text


def test_a_cut_body_ends_before_the_word_that_was_cut() -> None:
    body = f'{{"model":"m","note":"my key {CANARY}'.encode()
    for end in range(len(body) - len(CANARY) + 1, len(body)):
        shown = shown_body(body[:end], is_cut=True)
        assert "canary" not in shown
        assert shown.startswith('{"model":"m"')


def test_no_secret_survives_wherever_it_stands_in_a_long_body() -> None:
    chance = random.Random(7)
    filling = "".join(chance.choice("abc ,.{}\n") for _ in range(60_000))
    for _ in range(100):
        at = chance.randrange(len(filling))
        shown = shown_body(f"{filling[:at]} Bearer {CANARY} {filling[at:]}".encode())
        assert CANARY not in shown
        assert len(shown) > 60_000, "nothing else is lost"


def test_a_long_body_without_a_gap_is_kept_whole() -> None:
    body = b"A" * 100_000
    assert shown_body(body) == body.decode()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("1763647000000", "<13 digits>"),
        ("0a" * 32, "<64 hex>"),
        ("session-1", "<9 characters>"),
        ("", "<0 characters>"),
    ],
)
def test_a_shape_tells_length_and_letters(value: str, told: str) -> None:
    assert shape(value) == told


@pytest.mark.parametrize(
    "body",
    [
        '{{"api-key":"{}"}}',
        '{{"x-api-key": "{}"}}',
        '{{"accessKey":"{}"}}',
        '{{"sessionToken":"{}"}}',
        '{{"token":"{}"}}',
        '{{"passphrase":"{}"}}',
        '{{"api_key":["{}"]}}',
        "{{'password': '{}'}}",
        '{{"password":"a\\"{}"}}',
        '{{"password":"a\\u0062{}"}}',
        '{{"arguments":"{{\\"password\\":\\"a\\\\\\"{}\\"}}"}}',
        '{{"password":"{}',
        "export OPENAI_API_KEY={}\n",
        "X-Api-Key: {}\n",
        "https://h.test/x?api_key={}",
        "https://{}@h.test/x",
    ],
)
def test_a_value_is_hidden_wherever_a_body_calls_it_a_secret(body: str) -> None:
    secret = "Zx9plainwordsofakey77"
    shown = shown_body(body.format(secret).encode())
    assert secret[1:-4] not in shown
    assert shown.endswith(body.format("")[-1:]) or body.endswith("{}"), "what stands behind it is as it was"


@pytest.mark.parametrize(
    "body",
    [
        '{"token":" hello","logprob":-0.1}',
        '{"token":"a word, and another one","api_key":{"type":"string"}}',
        '{"max_tokens":4096,"key":"the-name-of-a-setting"}',
    ],
)
def test_what_only_sounds_like_a_secret_is_shown(body: str) -> None:
    assert shown_body(body.encode()) == body


def test_a_known_credential_is_hidden_as_json_writes_it_too() -> None:
    assert shown_body(b'{"m":"is abc\\"def\\\\ghi right"}', ('abc"def\\ghi',)) == '{"m":"is [secret] right"}'


@pytest.mark.parametrize("body", ["\\" * (1 << 21), '"password' * 100_000, "\"token':'" * 100_000])
def test_a_body_made_to_be_slow_is_shown_in_time(body: str) -> None:
    """Quadratic would be hours here, with the interpreter held all the while."""
    assert shown_body(body.encode())


@pytest.mark.parametrize("name", ["x-iflow2api-key", "x-stainless-auth", "x-ratelimit-token"])
def test_a_family_of_harmless_headers_may_have_a_secret_among_them(name: str) -> None:
    assert shown_headers({name: ODD}) == {name: "…" + ODD[-4:]}
