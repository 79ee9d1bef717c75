from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Failing, Malformed, Overloaded
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.anthropic.errors import decode_error
from iflow_cli_proxy.protocols.anthropic.tap import StreamTap, carries_content
from iflow_cli_proxy.protocols.base import Seen

START = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 7, "output_tokens": 1}}}
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}}


def a_tap() -> StreamTap:
    return StreamTap(decode_error, frozenset({"network_error"}))


def look(tap: StreamTap, event: Any) -> Seen:
    return tap.look(jsonx.encode(event))


def test_a_good_stream_is_seen_for_what_it_is() -> None:
    tap = a_tap()

    assert look(tap, START) is Seen.QUIET
    assert look(tap, {"type": "ping"}) is Seen.QUIET
    assert look(tap, {"type": "content_block_start", "content_block": {"type": "text"}}) is Seen.CONTENT
    assert look(tap, TEXT) is Seen.CONTENT
    assert look(tap, {"type": "content_block_stop", "index": 0}) is Seen.CONTENT
    assert not tap.is_finished
    assert look(tap, END) is Seen.CONTENT
    assert tap.is_finished
    assert tap.usage == Usage(prompt=7, completion=4)
    assert look(tap, {"type": "message_stop"}) is Seen.DONE


def test_an_end_said_twice_is_only_usage_and_content_after_it_goes_nowhere() -> None:
    tap = a_tap()
    look(tap, END)

    assert look(tap, END | {"usage": {"output_tokens": 9}}) is Seen.USAGE
    assert tap.usage == Usage(completion=9)
    assert look(tap, TEXT) is Seen.NOTHING


def test_counts_before_the_end_end_nothing() -> None:
    tap = a_tap()

    assert look(tap, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 1}}) is Seen.USAGE
    assert not tap.is_finished


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, Overloaded),
        ({"type": "message_delta", "delta": {"stop_reason": "network_error"}}, Failing),
        ({"choices": []}, Malformed),
        ("[DONE]", Malformed),
    ],
)
def test_what_is_no_part_of_an_answer_is_raised(event: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        look(a_tap(), event)


@pytest.mark.parametrize(
    ("event", "is_content"),
    [
        (START, False),
        ({"type": "ping"}, False),
        ({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}, False),
        ({"type": "content_block_start", "content_block": {"type": "thinking", "thinking": ""}}, False),
        ({"type": "content_block_start", "content_block": {"type": "text", "text": "a"}}, True),
        ({"type": "content_block_start", "content_block": {"type": "tool_use", "id": "t", "name": "f"}}, True),
        (TEXT, True),
        ({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "t"}}, True),
        ({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": ""}}, False),
        ({"type": "content_block_stop", "index": 0}, False),
        (END, True),
    ],
)
def test_the_commit_point_is_the_first_event_that_shows_something(event: Any, is_content: bool) -> None:
    assert carries_content(jsonx.encode(event)) is is_content


def test_a_frame_that_is_no_event_is_not_what_was_promised() -> None:
    with pytest.raises(Malformed):
        carries_content(b'{"delta":5}')
