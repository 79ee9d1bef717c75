from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.providers.qwen.messages import arrange

MARK = {"type": "ephemeral"}
EMPTY_SYSTEM = {"role": "system", "content": [{"type": "text", "text": "", "cache_control": MARK}]}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **more}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def calls(*ids: str, arguments: Any = "{}") -> dict[str, Any]:
    made = [{"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(id: str, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def arranged(*messages: dict[str, Any]) -> list[Any]:
    """What is sent, which must be the same whether the messages come as bytes or decoded."""
    raw = arrange(jsonx.Raw(jsonx.encode(messages)))
    plain = arrange(list(messages))
    sent: list[Any] = jsonx.decode(jsonx.encode(raw.messages))
    assert sent == jsonx.decode(jsonx.encode(plain.messages))
    return sent


def talk(*messages: dict[str, Any]) -> list[Any]:
    """The same without the system message."""
    return arranged(*messages)[1:]


# --- system -------------------------------------------------------------------------------------------------------


def test_without_a_system_message_there_is_an_empty_one() -> None:
    assert arranged(user("hi")) == [EMPTY_SYSTEM, user("hi")]
    assert arrange([]).messages == [EMPTY_SYSTEM]


def test_every_system_and_developer_message_moves_to_the_front_in_order() -> None:
    sent = arranged(
        {"role": "system", "content": "one"},
        user("hi"),
        {"role": "developer", "content": [text("two"), text("three")]},
    )
    assert sent == [
        {"role": "system", "content": [text("one"), text("two"), text("three", cache_control=MARK)]},
        user("hi"),
    ]


def test_there_is_one_cache_mark_and_no_empty_part() -> None:
    [system] = arranged(
        {"role": "system", "content": [text("a", cache_control=MARK), text("")]}, {"role": "system", "content": "b"}
    )
    assert system["content"] == [text("a"), text("b", cache_control=MARK)]
    assert arranged({"role": "system", "content": ""}) == [EMPTY_SYSTEM]


# --- content ------------------------------------------------------------------------------------------------------


def test_parts_that_are_only_text_are_joined() -> None:
    assert talk(user([text("a"), text("b", cache_control=MARK)])) == [user("a\nb")]
    assert talk(user([])) == [user(" ")]
    assert talk({"role": "assistant", "content": [text("a")]}) == [{"role": "assistant", "content": "a"}]
    assert talk(calls("x"), result("x", [text("1"), text("2")])) == [calls("x"), result("x", "1\n2")]


def test_images_keep_their_parts() -> None:
    assert talk(user([text("a"), IMAGE])) == [user([text("a"), IMAGE])]


def test_a_message_that_breaks_no_rule_keeps_its_bytes() -> None:
    body = b'[ {"role":"user", "content":"hi", "name":"bob","unknown":1e2} ]'
    [_, kept] = arrange(jsonx.Raw(body)).messages
    assert bytes(kept) == b'{"role":"user", "content":"hi", "name":"bob","unknown":1e2}'


def test_fields_we_do_not_know_survive_a_change() -> None:
    [changed] = talk({**user([text("a")]), "name": "bob", "unknown": {"x": [1]}})
    assert changed == {**user("a"), "name": "bob", "unknown": {"x": [1]}}


# --- tools --------------------------------------------------------------------------------------------------------


def test_a_call_without_a_result_gets_an_empty_one() -> None:
    assert talk(calls("a", "b"), result("b")) == [calls("a", "b"), result("a", ""), result("b")]
    assert talk(calls("a")) == [calls("a"), result("a", "")]


def test_a_result_without_a_call_is_dropped() -> None:
    assert talk(user("hi"), result("lost"), calls("a"), result("a"), result("a", "again")) == [
        user("hi"),
        calls("a"),
        result("a"),
    ]
    assert talk(calls("a"), result("a"), {"role": "assistant", "content": "so"}, result("a", "late")) == [
        calls("a"),
        result("a"),
        {"role": "assistant", "content": "so"},
    ]


def test_results_stand_right_behind_their_calls_in_the_order_of_the_calls() -> None:
    assert talk(calls("a", "b"), user("wait"), result("b"), result("a")) == [
        calls("a", "b"),
        result("a"),
        result("b"),
        user("wait"),
    ]


def test_images_of_results_are_shown_behind_all_results() -> None:
    sent = talk(calls("a", "b"), result("a", [text("1"), IMAGE, text("2")]), result("b", [IMAGE]), user("so?"))
    assert sent == [calls("a", "b"), result("a", "1\n2"), result("b", ""), user([IMAGE, IMAGE]), user("so?")]


def test_a_result_that_says_nothing_is_an_empty_text() -> None:
    silent = {"role": "tool", "tool_call_id": "b"}
    assert talk(calls("a", "b"), result("a", None), silent) == [calls("a", "b"), result("a", ""), result("b", "")]


def test_the_same_id_twice_takes_one_result_each() -> None:
    assert talk(calls("a", "a"), result("a", "1"), result("a", "2")) == [
        calls("a", "a"),
        result("a", "1"),
        result("a", "2"),
    ]


@pytest.mark.parametrize(("given", "sent"), [("", "{}"), ('{"x": "y', '{"x": "y"}'), ({"x": 1}, '{"x":1}')])
def test_arguments_are_made_whole(given: Any, sent: str) -> None:
    assert talk(calls("a", arguments=given), result("a")) == [calls("a", arguments=sent), result("a")]


def test_a_message_may_need_both_its_parts_joined_and_its_arguments_mended() -> None:
    broken = {**calls("a", arguments=""), "content": [text("thinking"), text("aloud")]}
    assert talk(broken, result("a")) == [{**calls("a"), "content": "thinking\naloud"}, result("a")]


def test_prompts_are_what_the_person_said() -> None:
    assert arrange([user("a"), calls("x"), result("x"), user("b")]).prompts == 2
