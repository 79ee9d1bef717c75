"""Completions streams that are passed through: looked at, not rebuilt."""

from __future__ import annotations

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.base import Seen
from iflow_cli_proxy.protocols.choice_tap import ChoiceTap
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.openai_completions.wire import DONE, decode_answer
from iflow_cli_proxy.protocols.openai_usage import decode_usage


class StreamTap(ChoiceTap):
    """Looks at each frame of a stream that is passed on as it is."""

    __slots__ = ()

    def look(self, data: bytes) -> Seen:
        try:
            answer = decode_answer(data)
        except JsonError as error:
            if data.strip() == DONE:
                return Seen.DONE
            raise judged(data, self._judge) from error
        if answer.error or (answer.choices is None and answer.usage is None):
            raise judged(data, self._judge)
        if answer.usage is not None:
            self.usage = decode_usage(answer.usage) or self.usage
        if not answer.choices:
            return Seen.USAGE if answer.usage is not None else Seen.QUIET
        is_news = False
        for number, choice in enumerate(answer.choices):
            index = number if choice.index is None else choice.index
            if index in self._ended:
                continue
            is_news = True
            if choice.text:
                self._seen.add(index)
            if choice.finish_reason:
                if choice.finish_reason in self._failing_words:
                    raise reported_failure(choice.finish_reason, data, self._judge)
                self._seen.add(index)
                self._ended.add(index)
        return Seen.CONTENT if is_news else Seen.NOTHING


def carries_content(data: bytes) -> bool:
    """Whether a good frame shows the client anything: text, or an end."""
    try:
        answer = decode_answer(data)
    except JsonError as error:
        raise Malformed("The upstream sent an event that is not part of an answer.", detail=error.what) from error
    return any(choice.text or choice.finish_reason for choice in answer.choices or ())
