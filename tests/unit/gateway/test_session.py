from __future__ import annotations

import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.gateway.session import conversation_of


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, {}, ""),
        ({"x-session-id": "s"}, {}, "s"),
        ({"x-session-id": "s", "conversation-id": "c"}, {}, "c"),
        ({"x-claude-code-session-id": "s"}, {"metadata": {"user_id": "u"}}, "s"),
        ({"x-session-id": ""}, {"metadata": {"user_id": "u"}}, "u"),
        ({}, {"metadata": {"user_id": "u", "session_id": "s"}}, "s"),
        ({}, {"metadata": {"user_id": 7}, "prompt_cache_key": "k"}, "k"),
        ({}, {"metadata": "odd", "prompt_cache_key": "k"}, "k"),
        ({}, {"prompt_cache_key": ["odd"]}, ""),
        ({}, {"metadata": None}, ""),
    ],
)
def test_the_clients_own_word_for_its_conversation(headers: dict[str, str], body: Json, expected: str) -> None:
    assert conversation_of(headers, body) == expected


def test_no_word_is_longer_than_256_characters() -> None:
    long = "x" * 10_000

    assert len(conversation_of({"session-id": long}, {})) == 256
    assert len(conversation_of({}, {"metadata": {"user_id": long}})) == 256
    assert len(conversation_of({}, {"prompt_cache_key": long})) == 256
