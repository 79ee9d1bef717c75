"""Responses streams that are passed through: looked at, not rebuilt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Malformed
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import Judge, Seen
from iflow_cli_proxy.protocols.judging import judged
from iflow_cli_proxy.protocols.openai_responses.errors import plain_error
from iflow_cli_proxy.protocols.openai_responses.output import CALLS, text_of
from iflow_cli_proxy.protocols.openai_responses.reply import failure_in
from iflow_cli_proxy.protocols.openai_responses.stream_decoder import BEGINNINGS, DONE, ENDINGS, FAILURES
from iflow_cli_proxy.protocols.openai_responses.usage import decode_usage

_ITEMS: Final = ("response.output_item.added", "response.output_item.done")


class StreamTap:
    """Looks at each frame of a stream that is passed on as it is. There is one answer, whatever `choices` says."""

    __slots__ = ("_failing_words", "_judge", "is_finished", "usage")

    def __init__(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> None:
        self._judge = judge
        self._failing_words = failing_words
        self.is_finished = False
        self.usage: Usage | None = None

    def look(self, data: bytes) -> Seen:
        try:
            event = jsonx.decode_strict(data)
        except JsonError as error:
            if data.strip() == DONE:
                return Seen.DONE
            raise judged(data, self._judge) from error
        kind = text_of(event, "type") if isinstance(event, dict) else ""
        if self.is_finished:
            return Seen.NOTHING
        if not kind or kind in FAILURES:
            raise judged(jsonx.encode(plain_error(event)), self._judge)
        if kind in ENDINGS:
            self._finish(event.get("response"))
        return Seen.QUIET if kind in BEGINNINGS else Seen.CONTENT

    def _finish(self, response: Json) -> None:
        if not isinstance(response, dict):
            raise judged(b"{}", self._judge)
        if failure := failure_in(response, self._failing_words, self._judge):
            raise failure
        self.is_finished = True
        self.usage = decode_usage(response.get("usage"))


def carries_content(data: bytes) -> bool:
    """Whether a good frame shows the client anything: a piece of an item, a call, the end."""
    try:
        event = jsonx.decode_strict(data)
    except JsonError as error:
        raise Malformed("The upstream sent an event that is not part of an answer.", detail=error.what) from error
    if not isinstance(event, dict):
        raise Malformed("The upstream sent an event that is not part of an answer.")
    kind = text_of(event, "type")
    if kind in _ITEMS:
        return _is_news(kind, event.get("item"))
    return kind in ENDINGS or (kind.endswith(".delta") and bool(event.get("delta")))


def carries_reasoning(data: bytes) -> bool:
    """Whether a good frame belongs to an item of reasoning."""
    try:
        event = jsonx.decode(data)
    except JsonError:
        return False
    kind = text_of(event, "type") if isinstance(event, dict) else ""
    item = event.get("item") if kind in _ITEMS else None
    return kind.startswith("response.reasoning_") or (isinstance(item, Mapping) and item.get("type") == "reasoning")


def _is_news(kind: str, item: Json) -> bool:
    """An item is, once it is complete; of one that is just beginning only a call."""
    return isinstance(item, Mapping) and (kind == _ITEMS[1] or item.get("type") in CALLS)
