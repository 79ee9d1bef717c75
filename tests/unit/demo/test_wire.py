from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.answers import Answer, ToolCall
from iflow_cli_proxy.demo.question import Question, read_question
from iflow_cli_proxy.demo.wire import DONE, completion, frames
from iflow_cli_proxy.routing.catalog import Model

ANSWER = Answer(reasoning="Let me think. ", text="Hello there, 你好世界!\nBye.")
CALLS = Answer(tool_calls=(ToolCall(id="c0", name="f", arguments='{"city":"Paris"}'),), stop_word="tool_calls")


def question(**body: Any) -> Question:
    given = {"messages": [{"role": "user", "content": "hi"}], "stream_options": {"include_usage": True}, **body}
    return read_question(given, Model(id="glm-5"))


def stream(*answers: Answer, wishes: str = "", **body: Any) -> list[Any]:
    sent = list(frames(question(**body), answers, id="x", created=1, wishes=wishes))
    assert sent[-1] == DONE
    assert all(frame.startswith(b"data:{") and frame.endswith(b"}\n\n") for frame in sent[:-1])
    return [jsonx.decode(frame[5:]) for frame in sent[:-1]]


def joined(events: list[Any], field: str, index: int = 0) -> str:
    deltas = [c["delta"] for event in events for c in event["choices"] if c["index"] == index]
    return "".join(delta.get(field, "") for delta in deltas)


def test_a_stream_and_a_whole_answer_say_the_same() -> None:
    whole = completion(question(), [ANSWER], id="x", created=1)
    events = stream(ANSWER)
    message = whole["choices"][0]["message"]
    assert joined(events, "content") == message["content"] == ANSWER.text
    assert joined(events, "reasoning_content") == message["reasoning_content"] == ANSWER.reasoning
    assert events[-1]["usage"] == whole["usage"]


def test_reasoning_comes_before_text_and_never_beside_it() -> None:
    deltas = [event["choices"][0]["delta"] for event in stream(ANSWER)[:-1]]
    kinds = ["reasoning" if "reasoning_content" in delta else "text" for delta in deltas if len(delta)]
    assert kinds == sorted(kinds)
    assert deltas[0]["role"] == "assistant"
    assert not any("reasoning_content" in delta and "content" in delta for delta in deltas)


def test_a_call_begins_with_its_name_and_goes_on_in_fragments() -> None:
    parts = [event["choices"][0]["delta"].get("tool_calls", [{}])[0] for event in stream(CALLS)[:-1]]
    assert (parts[0]["id"], parts[0]["function"]["name"]) == ("c0", "f")
    assert "".join(part.get("function", {}).get("arguments", "") for part in parts) == '{"city":"Paris"}'
    assert len(parts) > 3


def test_choices_run_side_by_side() -> None:
    events = stream(ANSWER, CALLS)
    assert {event["choices"][0]["index"] for event in events[:2]} == {0, 1}
    reasons = [c["finish_reason"] for event in events for c in event["choices"] if c["finish_reason"]]
    assert sorted(reasons) == ["stop", "tool_calls"]


def test_usage_is_told_only_to_those_who_ask() -> None:
    assert "usage" in stream(ANSWER)[-1]
    assert not any("usage" in event for event in stream(ANSWER, stream_options={}))
    assert not any("usage" in event for event in stream(ANSWER, wishes="no_usage"))
    assert stream(ANSWER, wishes="usage_zero")[-1]["usage"]["total_tokens"] == 0


def test_an_empty_answer_still_has_a_role() -> None:
    assert stream(Answer())[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}


@pytest.mark.parametrize("wishes", ["think_tags", "no_ids", "network_error"])
def test_an_answer_can_be_bent(wishes: str) -> None:
    whole = completion(question(), [ANSWER], id="x", created=1, wishes=wishes)["choices"][0]
    if wishes == "think_tags":
        assert whole["message"]["content"].startswith("<think>Let me think. </think>Hello")
    elif wishes == "network_error":
        assert whole["finish_reason"] == "network_error"
    else:
        assert not any(
            "id" in c for e in stream(CALLS, wishes=wishes)[:-1] for c in e["choices"][0]["delta"].get("tool_calls", [])
        )
