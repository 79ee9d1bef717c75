from __future__ import annotations

import pytest

from iflow_cli_proxy.providers.safe_url import is_safe


@pytest.mark.parametrize(
    "url",
    [
        "https://chat.qwen.ai/authorize?user_code=ABCD-EFGH&client=qwen-code",
        "https://id.example.com",
        "https://[2001:db8::1]:8443/x",
        "http://127.0.0.1:9801/device",
        "http://127.9.9.9/device",
        "http://localhost:9801/device",
        "http://[::1]:9801/device",
    ],
)
def test_https_and_this_machine_are_safe(url: str) -> None:
    assert is_safe(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://id.example.com/authorize",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://0.0.0.0/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "javascript:alert(1)",
        "data:text/html,x",
        "//id.example.com/x",
        "https:id.example.com",
        "https://",
        "https://:443/x",
        "https://chat.qwen.ai@evil.example/",
        "https://user:word@id.example.com/",
        "https://id.example.com:0/",
        "https://id.example.com:99999/",
        "https://[::1/",
        "https://id.example.com/\x1b[31m",
        "https://id.example.com/\x9b31m",
        "https://id.example.com/a b",
        "https://id.example.com/a\nb",
        'https://id.example.com/"x',
        "https://id.example.com\\evil.example/",
        "https://id.example.com/`id`",
        "https://\u0456d.example.com/",  # a Cyrillic letter that looks like a Latin one
        "https://id.example.com/" + "x" * 3000,
    ],
)
def test_i54_everything_else_is_neither_told_anything_nor_shown(url: str) -> None:
    assert not is_safe(url)
