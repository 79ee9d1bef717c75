from __future__ import annotations

import random
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import InvalidRequest
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Envelope, Inbound
from iflow_cli_proxy.protocols.openai_chat.repair import repair
from tests.support.seeds import for_each_seed

CODEC = CODECS["openai_chat"]
EMPTY = {"role": "system", "content": ""}


def user(content: Any = "hi") -> dict[str, Any]:
    return {"role": "user", "content": content}


def calls(*ids: str | None, arguments: Any = "{}") -> dict[str, Any]:
    made = [{"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(id: str, content: Any = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def envelope(*messages: dict[str, Any]) -> Envelope:
    body = jsonx.encode({"model": "m", "messages": messages, "unknown": 1})
    return CODEC.read_envelope(Inbound(protocol=CODEC.name, body=body))


def repaired(*messages: dict[str, Any]) -> tuple[list[Any], list[tuple[str, str]]]:
    """What is sent upstream, and the notes."""
    asked = envelope(*messages)
    found, notes = repair(asked)
    sent: list[Any] = jsonx.decode(jsonx.encode(found.fields["messages"]))
    assert sent == found.values["messages"]
    assert found.fields["unknown"] == asked.fields["unknown"]
    assert asked.values["messages"] == list(messages), "what came in is not changed"
    return sent, [(note.path, note.what) for note in notes]


@pytest.mark.parametrize(
    "messages",
    [
        [user()],
        [EMPTY, EMPTY, user("")],
        [user(), calls("a", "b"), result("a"), result("b"), user()],
        [user(), calls("a", "b"), result("b"), result("a", "")],
        [user(), calls("a"), result("a", [{"type": "text", "text": ""}])],
        [user(), calls("x"), result("x"), calls("x"), result("x")],
        [user(), calls("x", "x"), result("x"), result("x")],
        [user(), {**calls("a", arguments='{"a": 1}'), "content": "so"}, result("a")],
        [user(), {"role": "assistant", "content": "", "tool_calls": None}],
        [user(), {"role": "assistant", "content": None, "refusal": "no"}],
        [
            user(),
            {"role": "assistant", "function_call": {"name": "f"}},
            {"role": "function", "name": "f", "content": "1"},
        ],
        [user(), {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "custom"}]}, result("a")],
    ],
)
def test_a_conversation_in_which_nothing_is_wrong_keeps_its_bytes(messages: list[dict[str, Any]]) -> None:
    asked = envelope(*messages)
    found, notes = repair(asked)
    assert found is asked
    assert notes == ()


def test_a_call_without_a_result_gets_an_empty_one() -> None:
    assert repaired(user(), calls("a", "b"), result("b"), user()) == (
        [user(), calls("a", "b"), result("a", ""), result("b"), user()],
        [("messages[1].tool_calls[0]", "given an empty result")],
    )
    assert repaired(calls("a"))[0] == [calls("a"), result("a", "")]


def test_a_result_without_a_call_is_removed() -> None:
    assert repaired(user(), result("lost"), calls("a"), result("a"), result("a", "again")) == (
        [user(), calls("a"), result("a")],
        [("messages[1]", "removed: it answers no call"), ("messages[4]", "removed: it answers no call")],
    )


def test_results_move_right_behind_their_calls() -> None:
    assert repaired(calls("a"), user("wait"), result("a")) == (
        [calls("a"), result("a"), user("wait")],
        [("messages[2]", "moved behind its call in messages[0]")],
    )
    assert repaired(calls("a"), calls("b"), result("a"), result("b"))[0] == [
        calls("a"),
        result("a"),
        calls("b"),
        result("b"),
    ]


@pytest.mark.parametrize(
    ("given", "sent", "what"),
    [
        ("", "{}", "written as JSON text"),
        (None, "{}", "written as JSON text"),
        ({"x": 1}, '{"x":1}', "written as JSON text"),
        ('{"x": "y', '{"x": "y"}', "closed: the text was cut off"),
    ],
)
def test_arguments_are_made_json_text(given: Any, sent: str, what: str) -> None:
    assert repaired(calls("a", arguments=given), result("a")) == (
        [calls("a", arguments=sent), result("a")],
        [("messages[0].tool_calls[0].function.arguments", what)],
    )


def test_arguments_that_cannot_be_mended_are_refused_with_their_path() -> None:
    with pytest.raises(InvalidRequest) as caught:
        repair(envelope(user(), calls("a"), result("a"), calls("b", "c", arguments="{'x': 1}"), result("b")))
    assert caught.value.param == "messages[3].tool_calls[0].function.arguments"


def test_lists_with_nothing_in_them_are_refused_everywhere() -> None:
    silent = {"role": "assistant", "content": "so", "tool_calls": []}
    assert repaired(user([]), silent, {**result("x"), "content": []}) == (
        [user(""), {"role": "assistant", "content": "so"}],
        [
            ("messages[0].content", "made an empty text"),
            ("messages[1].tool_calls", "removed: it is empty"),
            ("messages[2].content", "made an empty text"),
            ("messages[2]", "removed: it answers no call"),
        ],
    )


def test_a_message_that_is_only_thinking_or_a_result_that_says_nothing_has_an_empty_text() -> None:
    thinking = {"role": "assistant", "reasoning_content": "hm"}
    sent, notes = repaired(user(), thinking, calls("a"), {"role": "tool", "tool_call_id": "a"})
    assert sent == [user(), {**thinking, "content": ""}, calls("a"), result("a", "")]
    assert [path for path, _ in notes] == ["messages[1].content", "messages[3].content"]


def test_fields_we_do_not_know_survive() -> None:
    strange = {**calls("a", arguments=""), "unknown": {"x": [1]}}
    strange["tool_calls"][0]["extra"] = True
    [sent, _], _ = repaired(strange, result("a"))
    assert sent["unknown"] == {"x": [1]}
    assert sent["tool_calls"][0]["extra"] is True


def test_what_is_mended_once_needs_no_more() -> None:
    def check(rng: random.Random) -> None:
        made: list[dict[str, Any]] = [
            rng.choice(
                (
                    user(rng.choice(("hi", "", []))),
                    calls(*rng.choices("abc", k=rng.randint(1, 3)), arguments=rng.choice(("{}", "", '{"x": [1'))),
                    result(rng.choice("abcd"), rng.choice(("ok", "", None, []))),
                    {"role": "assistant", "content": "so", "tool_calls": rng.choice(([], None))},
                )
            )
            for _ in range(rng.randint(1, 12))
        ]
        once, notes = repair(envelope(*made))
        assert repair(once) == (once, ())
        waiting: list[str] = []
        for message in once.values["messages"]:
            if message["role"] == "tool":
                waiting.remove(message["tool_call_id"])
                continue
            assert not waiting, "every call is answered before anything else is said"
            waiting = [call["id"] for call in message.get("tool_calls") or ()]
        assert not waiting
        if not notes:
            assert once.values["messages"] == made

    for_each_seed(1500, check)
