"""Chat Completions streams that are passed through: looked at, not rebuilt.

What the tap lets through means to the client what decoding and encoding it again would have meant.
"""

from __future__ import annotations

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.base import Seen
from iflow_cli_proxy.protocols.choice_tap import ChoiceTap
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.openai_chat.wire import DONE, WireDelta, decode_answer, decode_probe
from iflow_cli_proxy.protocols.openai_usage import decode_usage


class StreamTap(ChoiceTap):
    """Looks at each frame of a stream that is passed on as it is.

    `[DONE]` after content is a good end even where no choice gave a finish_reason: some servers say no more.
    """

    __slots__ = ()

    def look(self, data: bytes) -> Seen:
        try:
            probe = decode_probe(data)
        except JsonError as error:
            if data.strip() == DONE:
                return Seen.DONE
            raise judged(data, self._judge) from error
        if probe.error:
            raise judged(data, self._judge)
        if probe.usage is not None:
            self.usage = decode_usage(probe.usage) or self.usage
        if not probe.choices:
            if probe.choices is None and probe.usage is None:
                raise judged(data, self._judge)
            return Seen.USAGE if probe.usage is not None else Seen.QUIET
        is_news = False
        for number, choice in enumerate(probe.choices):
            index = number if choice.index is None else choice.index
            is_news = is_news or index not in self._ended
            self._seen.add(index)
            if choice.finish_reason:
                if choice.finish_reason in self._failing_words:
                    raise reported_failure(choice.finish_reason, data, self._judge)
                self._ended.add(index)
        if is_news:
            return Seen.CONTENT
        return Seen.NOTHING if probe.usage is None else Seen.USAGE  # some upstreams repeat the finish chunk


def carries_content(data: bytes) -> bool:
    """Whether a good frame shows the client anything: text, thinking, a call, an end. A role alone does not."""
    try:
        answer = decode_answer(data)
    except JsonError as error:
        raise Malformed("The upstream sent an event that is not part of an answer.", detail=error.what) from error
    for choice in answer.choices or ():
        delta = choice.delta or choice.message or WireDelta()
        if choice.finish_reason or delta.content or delta.reasoning_content or delta.reasoning:
            return True
        if delta.refusal or delta.tool_calls or delta.signature:
            return True
    return False


def carries_reasoning(data: bytes) -> bool:
    """Whether a good frame shows thinking, and no text or call beside it."""
    try:
        answer = decode_answer(data)
    except JsonError:
        return False
    deltas = [choice.delta or choice.message or WireDelta() for choice in answer.choices or ()]
    if any(delta.content or delta.tool_calls for delta in deltas):
        return False
    return any(delta.reasoning_content or delta.reasoning or delta.reasoning_details for delta in deltas)
