from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import CutOff, Failing, GatewayError, Malformed, RateLimited
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import Seen
from iflow_cli_proxy.protocols.openai_completions.tap import StreamTap, carries_content
from iflow_cli_proxy.protocols.openai_errors import decode_error


def tap(choices: int = 1) -> StreamTap:
    return StreamTap(decode_error, frozenset({"network_error"}), choices)


def chunk(text: str = "", finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    return jsonx.encode({"choices": [{"text": text, "index": index, "finish_reason": finish}], **more})


@pytest.mark.parametrize(
    ("data", "seen", "shows"),
    [
        (chunk("a"), Seen.CONTENT, True),
        (chunk(""), Seen.CONTENT, False),
        (chunk("", "stop"), Seen.CONTENT, True),
        (b'{"choices":[],"usage":{"prompt_tokens":1}}', Seen.USAGE, False),
        (b'{"choices":[]}', Seen.QUIET, False),
    ],
)
def test_good_frames_are_told_apart(data: bytes, seen: Seen, shows: bool) -> None:
    assert tap().look(data) is seen
    assert carries_content(data) is shows


def test_a_stream_is_finished_once_every_answer_is() -> None:
    one = tap(2)
    one.look(chunk("a", "stop"))
    assert not one.is_finished

    one.look(chunk("b", "stop", 1, usage={"prompt_tokens": 3}))
    assert one.is_finished
    assert one.usage == Usage(prompt=3)
    assert one.look(chunk("a", "stop")) is Seen.NOTHING
    assert one.look(b"[DONE]") is Seen.DONE


def test_an_answer_nobody_asked_for_has_to_end_as_well() -> None:
    one = tap()
    one.look(chunk("a", "stop"))
    assert one.is_finished

    one.look(chunk("b", index=1))
    assert not one.is_finished


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{", CutOff),
        (b"{}", Malformed),
        (b'{"error":{"code":"rate_limit_exceeded","message":"No."}}', RateLimited),
        (chunk("", "network_error"), Failing),
    ],
)
def test_failures_and_what_is_no_chunk_raise(data: bytes, kind: type[GatewayError]) -> None:
    with pytest.raises(GatewayError) as caught:
        tap().look(data)

    assert type(caught.value) is kind


def test_what_is_no_chunk_carries_nothing() -> None:
    with pytest.raises(Malformed):
        carries_content(b"{")
