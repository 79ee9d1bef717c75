from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CutOff, Failing, GatewayError, Malformed, RateLimited
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import Seen
from iflow_cli_proxy.protocols.openai_responses.errors import decode_error
from iflow_cli_proxy.protocols.openai_responses.tap import StreamTap, carries_content


def tap() -> StreamTap:
    return StreamTap(decode_error, frozenset({"network_error"}))


def event(kind: str, **fields: Any) -> bytes:
    return jsonx.encode({"type": kind, **fields})


@pytest.mark.parametrize(
    ("data", "seen", "shows"),
    [
        (event("response.created", response={}), Seen.QUIET, False),
        (event("response.in_progress", response={}), Seen.QUIET, False),
        (event("response.output_item.added", item={"type": "message"}), Seen.CONTENT, False),
        (event("response.output_item.added", item={"type": "function_call"}), Seen.CONTENT, True),
        (event("response.output_item.done", item={"type": "message"}), Seen.CONTENT, True),
        (event("response.output_text.delta", delta="a"), Seen.CONTENT, True),
        (event("response.output_text.delta", delta=""), Seen.CONTENT, False),
        (event("response.reasoning_summary_text.delta", delta="a"), Seen.CONTENT, True),
        (event("response.completed", response={}), Seen.CONTENT, True),
        (event("response.new_thing"), Seen.CONTENT, False),
    ],
)
def test_good_frames_are_told_apart(data: bytes, seen: Seen, shows: bool) -> None:
    assert tap().look(data) is seen
    assert carries_content(data) is shows


def test_the_end_and_its_usage_are_noticed_and_nothing_goes_on_after_it() -> None:
    one = tap()
    assert not one.is_finished

    one.look(event("response.completed", response={"usage": {"input_tokens": 3, "output_tokens": 1}}))

    assert one.is_finished
    assert one.usage == Usage(prompt=3, completion=1)
    assert one.look(event("response.output_text.delta", delta="a")) is Seen.NOTHING
    assert one.look(b"[DONE]") is Seen.DONE


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"type":', CutOff),
        (b"{}", Malformed),
        (b"[]", Malformed),
        (event("response.completed"), Malformed),
        (event("error", code="rate_limit_exceeded", message="No."), RateLimited),
        (event("response.failed", response={"error": {"code": "rate_limit_exceeded", "message": "No."}}), RateLimited),
        (
            event(
                "response.incomplete",
                response={"status": "incomplete", "incomplete_details": {"reason": "network_error"}},
            ),
            Failing,
        ),
    ],
)
def test_failures_and_what_is_no_event_raise(data: bytes, kind: type[GatewayError]) -> None:
    with pytest.raises(GatewayError) as caught:
        tap().look(data)

    assert type(caught.value) is kind


@pytest.mark.parametrize("data", [b"{", b"[]", b"5"])
def test_what_is_no_event_carries_nothing(data: bytes) -> None:
    with pytest.raises(Malformed):
        carries_content(data)
