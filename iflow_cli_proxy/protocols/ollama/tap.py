"""Ollama streams that are passed through: looked at, not rebuilt."""

from __future__ import annotations

from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import Judge, Seen
from iflow_cli_proxy.protocols.judging import judged, reported_failure
from iflow_cli_proxy.protocols.ollama.usage import decode_usage
from iflow_cli_proxy.protocols.ollama.wire import Answer, decode_answer


class StreamTap:
    """Looks at each line of a stream that is passed on as it is."""

    __slots__ = ("_failing_words", "_judge", "is_finished", "usage")

    def __init__(self, judge: Judge, failing_words: frozenset[str]) -> None:
        self._judge = judge
        self._failing_words = failing_words
        self.is_finished = False
        self.usage: Usage | None = None

    def look(self, data: bytes) -> Seen:
        try:
            answer = decode_answer(data)
        except JsonError as error:
            raise judged(data, self._judge) from error
        if answer.error or answer.as_message() is None:
            raise judged(data, self._judge)
        if answer.done_reason in self._failing_words:
            raise reported_failure(answer.done_reason or "", data, self._judge)
        if self.is_finished:
            return Seen.NOTHING
        if answer.done:
            self.is_finished = True
            self.usage = decode_usage(answer.prompt_eval_count, answer.eval_count)
        return Seen.CONTENT if _says_something(answer) else Seen.QUIET


def carries_content(data: bytes) -> bool:
    """Whether a good line shows the client anything: text, thinking, a call, an end."""
    try:
        return _says_something(decode_answer(data))
    except JsonError as error:
        raise Malformed("The upstream sent a line that is not part of an answer.", detail=error.what) from error


def carries_reasoning(data: bytes) -> bool:
    """Whether a good line shows thinking, and no text or call beside it."""
    try:
        message = decode_answer(data).as_message()
    except JsonError:
        return False
    return message is not None and bool(message.thinking) and not (message.content or message.tool_calls)


def _says_something(answer: Answer) -> bool:
    message = answer.as_message()
    return bool(answer.done or (message and (message.content or message.thinking or message.tool_calls)))
