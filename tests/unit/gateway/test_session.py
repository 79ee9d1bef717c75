from __future__ import annotations

import pytest

from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.gateway.session import conversation_of, session_of


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


def test_a_conversation_without_a_name_keeps_the_digest_of_its_beginning() -> None:
    system, first = {"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}
    one = {"model": "m", "messages": [system, first]}
    later = {
        **one,
        "messages": [system, first, {"role": "assistant", "content": "ho"}, {"role": "user", "content": "x"}],
    }
    other = {**one, "messages": [system, {"role": "user", "content": "ho"}]}

    assert session_of("", one) == session_of("", later) != session_of("", other)
    assert session_of("", {**one, "model": "n"}) != session_of("", one)
    assert session_of("named", other) == "named"


@pytest.mark.parametrize("body", [{}, {"messages": []}, {"messages": 5}])
def test_where_nothing_is_said_there_is_no_session(body: Json) -> None:
    assert session_of("", body) == ""


def test_a_conversation_that_is_continued_by_id_stays_where_it_began() -> None:
    answer = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "ho"}]}
    kept = {"type": "message", "id": "in_1", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    later = {"model": "m", "input": [kept, answer, {"role": "user", "content": "x"}]}

    for first in ("hi", [{"role": "user", "content": "hi"}], [{**kept, "id": "other"}]):
        assert session_of("", {"model": "m", "input": first}) == session_of("", later) != ""
    assert session_of("", {"model": "m", "input": "ho"}) != session_of("", later)


def test_a_mark_for_the_prompt_cache_makes_no_other_conversation() -> None:
    text = {"type": "text", "text": "hi"}
    marked = {**text, "cache_control": {"type": "ephemeral"}}
    one, two = ({"model": "m", "messages": [{"role": "user", "content": [part]}]} for part in (text, marked))

    assert session_of("", one) == session_of("", two)
