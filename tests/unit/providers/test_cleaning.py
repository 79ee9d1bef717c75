from __future__ import annotations

import random
import time

import pytest

from iflow_cli_proxy.providers.cleaning import LONGEST, clean_message

KEPT = [
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130245 tokens.",
    "Invalid value for 'messages[0].content': expected a string, got 3",
    "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
    "The model `gpt-9` does not exist or you do not have access to it.",
    "model qwen3-235b-a22b-thinking-2507 not found",
    "Model deepseek-ai/DeepSeek-V3.1-Terminus is overloaded, try 2 times",
    "当前找我聊的人太多了，可以晚点再来问我哦。",  # noqa: RUF001
    "Rate limit: 60 requests per minute (RPM); retry in 20s",
    "tokens: 4096 > limit: 2048",
    "code:400 status: 429",
    "application/json; charset=utf-8 required",
    "tool_calls[0].function.arguments must be JSON",
    "messages.0.content.type: Field required",
    "temperature must be <= 2 and >= 0",
    "Started at 12:30:45, failed at 12:31:02",
    "response_format.json_schema.schema.additionalProperties is required",
]


@pytest.mark.parametrize("text", KEPT)
def test_useful_words_stay_as_they_are(text: str) -> None:
    assert clean_message(text) == text


LEAKS = [
    ("Incorrect API key provided: sk-abc123****wxyz.", "abc123"),
    ("Incorrect API key provided: hunter2.", "hunter2"),
    ("s\u200bk-abc\u200bdef123456 is wrong", "def123456"),
    ("Authorization: Bearer abcdef1234567890 rejected", "abcdef12"),
    ("bearer AbCdEfGhIjKl", "AbCdEfGhIjKl"),
    ("Basic dXNlcjpwYXNz", "dXNlc"),
    ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123 expired", "eyJ"),
    ("auth%20sk-abc", "sk-abc"),
    ('{\\"k\\": \\"sk-abcdef\\"}', "abcdef"),
    ("&#115;k-canary is wrong", "canary"),
    ("&amp;#115;k-canary is wrong", "canary"),
    ("password=hunter2 was refused", "hunter2"),
    ('{"api_key": "topsecret"}', "topsecret"),
    ("x-api-key: topsecret", "topsecret"),
    ("refresh_token = 'rt-4567'", "rt-4567"),
    ("Cookie: BXAuth=abcdef", "abcdef"),
    ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN"),
    ("ghp_abcdefABCDEF0123456789", "abcdef"),
    ("hash d41d8cd98f00b204e9800998ecf8427e", "d41d8"),
    ("blob MTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A=", "MTIz"),
    ("id 5f0c8a6e-1111-4222-8333-444455556666", "5f0c8a6e"),
    ("key 12345678abcd", "12345678"),
    ("see https://internal.example.com/x?key=1", "example"),
    ("see HTTP://EVIL.EXAMPLE/x", "EVIL"),
    ("see http:\\/\\/10.1.1.1\\/x", "10.1"),
    ("https&#58;//evil.com/x", "evil"),
    ("&amp;#104;ttps://evil.com", "evil"),
    ("postgres://u:pw@db:5432/x", "pw"),
    ("wss://stream.host.io/a", "host.io"),
    ("connect ECONNREFUSED 10.0.0.12:8080", "10.0"),
    ("error at [2001:db8::1]:443", "db8"),
    ("listening on ::1 now", "::1"),
    ("via ::ffff:10.0.0.1 now", "10.0.0.1"),
    ("host backend-7.svc.cluster.local:8000 is down", "backend-7"),
    ("localhost:11434 refused", "11434"),
    ("vllm-worker:8000 refused", "vllm-worker"),
    ("HTTPConnectionPool(host='model-srv', port=8000)", "model-srv"),
    ("upstream api.canary.ai refused", "canary"),
    ("write to bob@corp.example.com", "bob"),
    ("open C:\\Users\\bob\\.ssh\\id_rsa failed", "bob"),
    ("open \\\\server\\share\\file failed", "share"),
    ("cannot open /home/bob/.config/x.toml", "bob"),
    ("cannot open /etc", "etc"),
    ("no such file: ~/work/y.txt", "work"),
    ("in ../../srv/iflow/conf", "srv"),
    ("file:///etc/passwd", "passwd"),
    ("listen unix:/var/run/x.sock", "run"),
    ("error in gateway/router.py:33", "router"),
    ('Traceback (most recent call last):\n  File "/srv/a.py", line 3\nValueError: boom', "boom"),
    ("TypeError: x at Object.<anonymous> (/app/node_modules/x.js:12:5)", "node_modules"),
    ("panic: nil goroutine 1 [running]: main.main()", "main.main"),
    ("\x1b[31mred\x1b[0m \x1b]8;;http://evil.com\x07link", "evil"),
    ("<html><body>nginx at canary</body></html>", "canary"),
    ("<!DOCTYPE html><p>canary</p>", "canary"),
    ("see <script src='//a.b/c'>this</script>", "src"),
]


@pytest.mark.parametrize(("text", "canary"), LEAKS)
def test_what_gives_something_away_is_gone(text: str, canary: str) -> None:
    assert canary not in clean_message(text)


def test_only_the_telling_part_of_a_sentence_is_replaced() -> None:
    cleaned = clean_message("Incorrect API key provided: sk-abc. You can find it at https://platform.example.com/keys.")
    assert cleaned == "Incorrect API key provided: [secret] You can find it at [address]"


def test_the_answer_is_one_line_without_control_characters() -> None:
    cleaned = clean_message("a\r\nb\tc\x00d\x1b[2Je\u2028f\u202eg\x9bh")
    assert "\n" not in cleaned
    assert cleaned.isprintable()


def test_a_long_message_is_cut_with_an_ellipsis() -> None:
    cleaned = clean_message("word " * 500)
    assert len(cleaned) <= LONGEST
    assert cleaned.endswith("…")


def test_a_key_that_is_cut_by_the_reading_limit_is_dropped_whole() -> None:
    text = "[ " * 995 + "sk-canary0123456789"
    assert "canary" not in clean_message(text)
    assert "sk-" not in clean_message(" " * 1990 + "sk-canary")


@pytest.mark.parametrize("text", [None, 3, [], {}, b"bytes", ""])
def test_what_is_not_text_says_nothing(text: object) -> None:
    assert clean_message(text) == ""


def test_cleaning_twice_changes_nothing_more() -> None:
    for text, _ in LEAKS:
        once = clean_message(text)
        assert clean_message(once) == once


def test_no_random_noise_breaks_it_or_leaks_a_planted_key() -> None:
    draw = random.Random(7)
    pieces = ["sk-", "http://", "/srv/", "\\", "'", '"', "\x1b[", ":", "=", "key", "<", ">", "&#", "é", "，", " "]  # noqa: RUF001
    for seed in range(300):
        noise = "".join(draw.choice(pieces) for _ in range(draw.randrange(30)))
        cleaned = clean_message(f"{noise} sk-CANARY{seed:06d}abcdef {noise}")
        assert "CANARY" not in cleaned
        assert cleaned.isprintable()


@pytest.mark.parametrize(
    "unit", ["a.", "/a", ":", "a:", "1.", "x\\", "<a", "\x1b]", "a-", "a@", "0:", "at (", "a_b.", "_key", "key=", "&#"]
)
def test_text_made_to_be_slow_is_not_slow(unit: str) -> None:
    text = (unit * 2000)[:1990] + " end of it"
    began = time.perf_counter()
    clean_message(text)
    assert time.perf_counter() - began < 1.0
