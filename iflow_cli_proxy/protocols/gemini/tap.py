"""Gemini streams that are passed through: looked at, not rebuilt."""

from __future__ import annotations

from iflow_cli_proxy.core.errors import ContentFiltered, Malformed
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.base import Seen
from iflow_cli_proxy.protocols.choice_tap import ChoiceTap
from iflow_cli_proxy.protocols.gemini.usage import decode_usage
from iflow_cli_proxy.protocols.gemini.wire import decode_answer, decode_probe
from iflow_cli_proxy.protocols.judging import judged, reported_failure


class StreamTap(ChoiceTap):
    """Looks at each frame of a stream that is passed on as it is."""

    __slots__ = ()

    def look(self, data: bytes) -> Seen:
        try:
            probe = decode_probe(data)
        except JsonError as error:
            raise judged(data, self._judge) from error
        if probe.error or (probe.candidates is None and probe.usage_metadata is None and not probe.prompt_feedback):
            raise judged(data, self._judge)
        if not probe.candidates and probe.prompt_feedback:
            if probe.prompt_feedback.block_reason:
                raise ContentFiltered("The upstream's content filter refused the prompt.")
            if probe.candidates is None and probe.usage_metadata is None:
                raise judged(data, self._judge)
        for number, candidate in enumerate(probe.candidates or ()):
            if candidate.finish_reason in self._failing_words:
                raise reported_failure(candidate.finish_reason or "", data, self._judge)
            index = number if candidate.index is None else candidate.index
            self._seen.add(index)
            if candidate.finish_reason:
                self._ended.add(index)
        self.usage = decode_usage(probe.usage_metadata) or self.usage
        return Seen.CONTENT if probe.candidates else Seen.QUIET


def carries_content(data: bytes) -> bool:
    """Whether a good frame shows the client anything: text, thinking, a call, an end."""
    try:
        answer = decode_answer(data)
    except JsonError as error:
        raise Malformed("The upstream sent an event that is not part of an answer.", detail=error.what) from error
    for candidate in answer.candidates or ():
        if candidate.finish_reason:
            return True
        for part in candidate.content.parts or () if candidate.content else ():
            if part.text or part.function_call is not None or part.thought_signature:
                return True
    return False


def carries_reasoning(data: bytes) -> bool:
    """Whether a good frame shows thoughts, and no text or call beside them."""
    try:
        answer = decode_answer(data)
    except JsonError:
        return False
    contents = [candidate.content for candidate in answer.candidates or () if candidate.content]
    parts = [part for content in contents for part in content.parts or ()]
    return bool(parts) and all(part.thought for part in parts)
