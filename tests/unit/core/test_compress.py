from __future__ import annotations

import random
from collections import Counter
from typing import Any

from iflow_cli_proxy.core.compress import IMAGE_TOKENS, compress, prompt_tokens
from iflow_cli_proxy.core.request import ChatRequest, Image, Message, Role, Text, ToolCall, ToolResult, ToolSpec
from tests.support.seeds import for_each_seed

WORDS = "word " * 800
"""About 1000 tokens."""


def said(role: Role, text: str = WORDS) -> Message:
    return Message(role=role, parts=(Text(text=text),))


def system(text: str = "rules") -> Message:
    return said(Role.SYSTEM, text)


def user(text: str = WORDS) -> Message:
    return said(Role.USER, text)


def answer(text: str = WORDS) -> Message:
    return said(Role.ASSISTANT, text)


def calls(*ids: str) -> Message:
    return Message(role=Role.ASSISTANT, parts=tuple(ToolCall(id=id, name="f", arguments="{}") for id in ids))


def result(id: str, text: str = WORDS) -> Message:
    return Message(role=Role.TOOL, parts=(ToolResult(call_id=id, parts=(Text(text=text),)),))


def request(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=messages, **more)


def shortened(asked: ChatRequest, room_tokens: int = 0, keep_rounds: int = 1) -> list[Message]:
    found = compress(asked, room_tokens=room_tokens, keep_rounds=keep_rounds)
    return list(found.request.messages if found else asked.messages)


def test_a_prompt_that_fits_is_left_alone() -> None:
    asked = request(user(), answer(), user())
    assert compress(asked, room_tokens=prompt_tokens(asked), keep_rounds=1) is None


def test_the_oldest_rounds_go_and_the_system_prompts_stay_where_they_are() -> None:
    first, last = [user("a"), answer("b")], [user("c"), answer("d")]
    assert shortened(request(system("x"), *first, system("y"), *last)) == [system("x"), system("y"), *last]


def test_the_last_rounds_stay_even_when_they_are_too_long() -> None:
    asked = request(*[user(), answer()] * 3)
    assert compress(asked, room_tokens=10, keep_rounds=3) is None
    assert len(shortened(asked, room_tokens=10, keep_rounds=2)) == 4


def test_what_was_removed_is_told() -> None:
    found = compress(request(*[user(), answer()] * 2), room_tokens=0, keep_rounds=1)
    assert found is not None
    assert (found.removed, found.summary) == (2, "removed=2 messages, about 2008 tokens")
    found = compress(request(user("do"), answer(), answer(), answer()), room_tokens=0, keep_rounds=2)
    assert found is not None
    assert found.summary == "removed=1 message, about 1004 tokens"


def test_rounds_go_in_steps_so_that_the_next_turns_begin_alike() -> None:
    rounds = [message for _ in range(20) for message in (user(), answer())]
    lengths = []
    for room_tokens in (40_000, 39_000, 36_000, 33_000, 31_000):
        lengths.append(len(shortened(request(*rounds), room_tokens=room_tokens, keep_rounds=2)) // 2)
    assert lengths == [16, 16, 16, 16, 12]


def test_in_the_middle_of_a_task_its_question_stays() -> None:
    work = [calls("a"), result("a"), calls("b"), result("b"), calls("c"), result("c")]
    assert shortened(request(system(), user("old"), answer(), user("task"), *work)) == [
        system(),
        user("task"),
        *work[4:],
    ]
    assert shortened(request(user("one"), user("two"), *work), keep_rounds=2) == [user("one"), user("two"), *work[2:]]


def test_a_call_and_its_results_go_together() -> None:
    late = [calls("a", "b"), result("a"), answer("meanwhile"), result("b"), user("so?"), answer("this")]
    assert shortened(request(user("do"), *late), keep_rounds=2) == [user("do"), *late]
    assert shortened(request(user("do"), *late), keep_rounds=1) == [user("so?"), answer("this")]


def test_an_id_that_is_used_again_belongs_to_the_call_before_it() -> None:
    work = [calls("x"), result("x", "1"), calls("x"), result("x", "2"), calls("x"), result("x", "3")]
    assert shortened(request(user("do"), *work), keep_rounds=2) == [user("do"), *work[2:]]


def test_results_in_a_message_of_the_person_begin_no_round() -> None:
    answered = Message(role=Role.USER, parts=(ToolResult(call_id="a"), Text(text="go on")))
    assert shortened(request(user("do"), calls("a"), answered, answer("b"))) == [user("do"), answer("b")]


def test_tokens_are_counted_in_bytes_and_pictures_by_the_piece() -> None:
    assert prompt_tokens(request(user("abcd" * 10))) == 14
    assert prompt_tokens(request(user("你好世界" * 10))) == 34
    picture = Image(data="A" * 1_000_000, media_type="image/png")
    shown = Message(role=Role.TOOL, parts=(ToolResult(call_id="a", parts=(picture, Text(text="abcd"))),))
    assert prompt_tokens(request(shown)) == 5 + IMAGE_TOKENS
    tools = (ToolSpec(name="find", description="d" * 96, parameters={"type": "object"}),)
    assert prompt_tokens(request(user("abcd"), tools=tools)) == 5 + 30


# --- laws ---------------------------------------------------------------------------------------------------------


def any_conversation(rng: random.Random) -> ChatRequest:
    messages: list[Message] = []
    waiting: list[str] = []
    for number in range(rng.randint(1, 60)):
        text = f"{number} " * rng.randint(1, 300)
        match rng.choice(("system", "user", "answer", "calls", "result", "result", "result")):
            case "system":
                messages.append(system(text))
            case "user":
                messages.append(user(text))
            case "answer":
                messages.append(answer(text))
            case "calls":
                ids = [rng.choice((f"c{number}", "again")), f"d{number}"][: rng.randint(1, 2)]
                messages.append(calls(*ids))
                waiting += ids
            case _:
                if waiting:
                    messages.append(result(waiting.pop(rng.randrange(len(waiting))), text))
    return request(*messages)


def pairs(messages: list[Message]) -> Counter[str]:
    """Results whose call stands before them."""
    made: set[str] = set()
    found: Counter[str] = Counter()
    for message in messages:
        made |= {part.id for part in message.parts if isinstance(part, ToolCall)}
        found.update(part.call_id for part in message.parts if isinstance(part, ToolResult) and part.call_id in made)
    return found


def results(messages: list[Message]) -> Counter[str]:
    return Counter(part.call_id for message in messages for part in message.parts if isinstance(part, ToolResult))


def check(rng: random.Random) -> None:
    asked = any_conversation(rng)
    room, keep = rng.choice((0, rng.randint(0, prompt_tokens(asked) + 10))), rng.randint(1, 12)
    found = compress(asked, room_tokens=room, keep_rounds=keep)
    if found is None:
        return
    before, after = list(asked.messages), list(found.request.messages)
    rest = iter(before)
    assert all(any(message is old for old in rest) for message in after), "order is kept and nothing is made up"
    assert len(before) - len(after) == found.removed > 0
    assert after[-1] is before[-1], "the last word stays"
    assert [m for m in after if m.role is Role.SYSTEM] == [m for m in before if m.role is Role.SYSTEM]
    assert any(m.role is not Role.SYSTEM for m in after)
    assert pairs(after) == results(after), "no result without its call"
    assert compress(found.request, room_tokens=room, keep_rounds=keep) is None, "once is enough"


def test_pairs_stay_whole_order_is_kept_and_once_is_enough() -> None:
    for_each_seed(2000, check)
