import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CutOff, Failing, GatewayError, Malformed, RateLimited
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import Seen
from iflow_cli_proxy.protocols.openai_chat.tap import StreamTap, carries_content, carries_reasoning


def judge(body: Json) -> GatewayError | None:
    return RateLimited("Slow down.") if body.get("status") == "449" else None


def tap() -> StreamTap:
    return StreamTap(judge, frozenset({"network_error"}))


def chunk(delta: Json = None, finish: str | None = None, **more: Json) -> bytes:
    return jsonx.encode({"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **more})


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (chunk({"content": "a"}), Seen.CONTENT),
        (chunk({"role": "assistant"}), Seen.CONTENT),
        (chunk({}, "stop"), Seen.CONTENT),
        (chunk({"content": "a"}, error=None), Seen.CONTENT),
        (chunk({"content": "a"}, error={}), Seen.CONTENT),
        (b'{"choices":[],"usage":{"prompt_tokens":1}}', Seen.USAGE),
        (b'{"usage":{"prompt_tokens":1}}', Seen.USAGE),
        (b'{"choices":[]}', Seen.QUIET),
        (b'{"choices":[],"prompt_filter_results":[1]}', Seen.QUIET),
        (b"[DONE]", Seen.DONE),
        (b" [DONE] ", Seen.DONE),
    ],
)
def test_good_frames_are_told_apart(data: bytes, seen: Seen) -> None:
    assert tap().look(data) is seen


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"status":"449","msg":"x"}', RateLimited),
        (b'{"error":{"message":"x"}}', Malformed),
        (chunk({"content": "a"}, error={"message": "x"}), Malformed),
        (chunk({}, "network_error"), Failing),
        (b"<html>", Malformed),
        (b"null", Malformed),
        (b"[]", Malformed),
        (b"5", Malformed),
        (b'{"choices":5}', Malformed),
        (b'{"choices":[5]}', Malformed),
        (b'{"choices":null}', Malformed),
        (b'{"choices":[{"index":-1}]}', Malformed),
        (b'{"choices":[{"index":99999}]}', Malformed),
        (b'{"choices":[{"index":0,"del', CutOff),
        (b'{"choices":[{"finish_reason":"\xff"}]}', Malformed),
    ],
)
def test_bad_frames_raise_what_they_mean(data: bytes, error: type[GatewayError]) -> None:
    with pytest.raises(GatewayError) as caught:
        tap().look(data)

    assert type(caught.value) is error


def test_the_judge_is_asked_what_a_failing_stop_word_means() -> None:
    with pytest.raises(RateLimited):
        tap().look(chunk({"content": "<429>"}, "network_error", status="449"))


def test_what_repeats_an_end_goes_nowhere_and_only_its_usage_is_of_use() -> None:
    looking = tap()
    assert looking.look(chunk({}, "stop")) is Seen.CONTENT
    assert looking.look(chunk({"content": ""}, "stop")) is Seen.NOTHING
    assert looking.look(chunk({}, "stop", usage={"prompt_tokens": 5})) is Seen.USAGE
    assert looking.usage == Usage(prompt=5)
    assert looking.look(b'{"choices":[{"index":1,"delta":{"content":"a"}}]}') is Seen.CONTENT


def test_usage_is_remembered_and_zeros_do_not_overwrite_it() -> None:
    looking = tap()
    looking.look(chunk({}, "stop", usage={"prompt_tokens": 5, "completion_tokens": 2}))
    looking.look(b'{"choices":[],"usage":{"prompt_tokens":0}}')
    looking.look(b'{"choices":[],"usage":"nonsense"}')

    assert looking.usage == Usage(prompt=5, completion=2)


def test_a_stream_is_finished_when_every_answer_in_it_has_said_why_it_ended() -> None:
    looking = tap()
    assert not looking.is_finished
    looking.look(b'{"choices":[{"index":0,"delta":{}},{"index":1,"delta":{}}]}')
    looking.look(chunk({}, "stop"))
    assert not looking.is_finished
    looking.look(b'{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}')
    assert looking.is_finished
    looking.look(b'{"choices":[],"usage":{"prompt_tokens":1}}')
    assert looking.is_finished


def test_choices_without_an_index_are_numbered_by_their_place() -> None:
    looking = tap()
    looking.look(b'{"choices":[{"delta":{}},{"index":null,"delta":{},"finish_reason":"stop"}]}')
    assert not looking.is_finished
    looking.look(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}')
    assert looking.is_finished


@pytest.mark.parametrize(
    ("delta", "finish", "is_content"),
    [
        ({"role": "assistant", "content": ""}, None, False),
        ({"content": None, "tool_calls": []}, None, False),
        ({"content": "a"}, None, True),
        ({"reasoning_content": "a"}, None, True),
        ({"reasoning": "a"}, None, True),
        ({"refusal": "a"}, None, True),
        ({"signature": "a"}, None, True),
        ({"tool_calls": [{"index": 0}]}, None, True),
        ({}, "stop", True),
    ],
)
def test_the_commit_point_is_the_first_thing_a_person_would_see(
    delta: Json, finish: str | None, is_content: bool
) -> None:
    assert carries_content(chunk(delta, finish)) is is_content


@pytest.mark.parametrize("data", [chunk({"content": 5}), chunk({"tool_calls": "x"}), b'{"choices":[{"delta":"\xff"}]}'])
def test_before_the_commit_point_a_wrong_shape_is_a_failure(data: bytes) -> None:
    with pytest.raises(Malformed):
        carries_content(data)


@pytest.mark.parametrize(
    ("delta", "thinks"),
    [
        ({"reasoning_content": "hm"}, True),
        ({"reasoning": "hm", "content": ""}, True),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, True),
        ({"reasoning_content": "hm", "content": "a"}, False),
        ({"reasoning_content": None, "content": "a"}, False),
        ({"tool_calls": [{"index": 0}]}, False),
        ({}, False),
    ],
)
def test_thinking_is_told_from_an_answer(delta: Json, thinks: bool) -> None:
    assert carries_reasoning(chunk(delta)) is thinks
