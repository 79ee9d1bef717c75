from __future__ import annotations

import time

import pytest

from iflow_cli_proxy.telemetry.redact import one_line, redact, shown_name

KEY = "sk-abcdefghijklmnop1234"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"key {KEY} used", "key sk-…1234 used"),
        ("Authorization: Bearer abc.def-0123456789", "Authorization: Bearer …6789"),
        ("authorization: BEARER abcdefghijkl0123", "authorization: BEARER …0123"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic …ZA=="),
        ("GET /x?key=abc&model=m", "GET /x?key=…&model=m"),
        ("/cb?state=1&code=abc&code_verifier=def", "/cb?state=1&code=…&code_verifier=…"),
        ("http://user:pass@proxy.example:3128/x", "http://…@proxy.example:3128/x"),
        ("eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl", "…dXJl"),
        ("AIzaSyA1234567890abcd", "…abcd"),
        ("ghp_abcdefgh12345678", "…5678"),
        ("task-force at-home risk-averse", "task-force at-home risk-averse"),
        ("basic information", "basic information"),
        ("model m, 17 tokens, 200", "model m, 17 tokens, 200"),
    ],
)
def test_what_looks_like_a_credential_is_masked_and_nothing_else(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize("piece", ["eyJ-", "eyJa.", "sk-", "://a:", "Bearer ", "?key=", "a" * 50 + "."])
def test_no_text_takes_long(piece: str) -> None:
    began = time.perf_counter()

    redact(piece * (1_000_000 // len(piece)))

    assert time.perf_counter() - began < 0.25


def test_a_text_nobody_would_read_is_cut() -> None:
    assert len(redact("x " * 100_000)) < 20_000


@pytest.mark.parametrize(
    "char", ["\n", "\r", "\x00", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e", "\ud800"]
)
def test_no_character_leaves_its_line_or_turns_it_around(char: str) -> None:
    shown = one_line(f"a{char}b")

    assert char not in shown
    assert shown.startswith("a\\")
    assert shown.endswith("b")
    shown.encode()


def test_honest_text_stays() -> None:
    assert one_line("naïve 日本 🙂 \\n") == "naïve 日本 🙂 \\n"


def test_a_key_in_the_place_of_a_name_is_masked_and_a_name_is_cut() -> None:
    assert shown_name("glm-5(high)") == "glm-5(high)"
    assert shown_name(KEY) == "sk-…1234"
    assert shown_name(f"up/{KEY}") == "up/sk-…1234"
    assert len(shown_name("m" * 1000)) == 200
