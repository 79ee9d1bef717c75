"""CLIProxyAPI's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from iflow_cli_proxy.pool.saved import AuthType
from iflow_cli_proxy.signin.foreign import cliproxyapi
from iflow_cli_proxy.signin.foreign.reading import Part, Reading

IFLOW = {
    "type": "iflow",
    "email": "me@example.com",
    "access_token": "at-0123456789",
    "refresh_token": "rt-0123456789",
    "api_key": "sk-0123456789abcdef",
    "expired": "2026-03-02T10:00:00Z",
    "last_refresh": "2026-03-01T10:00:00Z",
    "token_type": "bearer",
    "scope": "read",
}
QWEN = {
    "type": "qwen",
    "email": "me@example.com",
    "access_token": "at-0123456789",
    "refresh_token": "rt-0123456789",
    "resource_url": "portal.qwen.ai",
    "expired": "2026-03-02T10:00:00Z",
}


def _read(tree: dict[str, Any]) -> Reading:
    return cliproxyapi.read([Part(path=Path("file-of-it.json"), tree=tree)], {})


def test_an_iflow_sign_in() -> None:
    (account,) = _read(IFLOW).accounts

    assert (account.provider, account.label, account.auth_type) == ("iflow", "me@example.com", AuthType.OAUTH)
    assert account.tokens is not None
    assert (account.tokens.expires_at, account.updated_at) == (1_772_445_600.0, 1_772_359_200.0)


def test_a_qwen_sign_in() -> None:
    (account,) = _read(QWEN).accounts

    assert (account.provider, account.base_url) == ("qwen", "https://portal.qwen.ai/v1")
    assert account.bearer_expires_at == 1_772_445_600.0


def test_a_sign_in_by_cookie_is_a_key_that_ends_in_chinese_time_and_the_cookie_stays_behind() -> None:
    reading = _read(
        {"type": "iflow", "api_key": "sk-0123456789abcdef", "cookie": "BXAuth=x;", "expired": "2026-03-02 18:00"}
    )

    (account,) = reading.accounts
    assert (account.label, account.auth_type) == ("file-of-it", AuthType.API_KEY)
    assert account.api_key_expires_at == 1_772_445_600.0
    assert "cookie" in reading.notes[0]
    assert "BXAuth" not in repr(reading)


def test_a_sign_in_of_a_provider_unknown_here_is_skipped_by_name() -> None:
    (skipped,) = _read({**QWEN, "type": "codex"}).skipped

    assert "'codex'" in skipped.reason
