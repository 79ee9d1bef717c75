"""The demo's answers to questions that were let in, for both vendors: whole or as a stream, bent when told so.

Knows how a model's answer becomes bytes and how a fault bends them. Refuses to know who may ask (`auth`, `portal`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from aiohttp import web

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo import sending, wire
from iflow_cli_proxy.demo.answers import Answer, answer
from iflow_cli_proxy.demo.faults import FOR_JSON, STREAMS, WISHES, Fault, Pause, Plain, Step
from iflow_cli_proxy.demo.question import Question, read_question
from iflow_cli_proxy.routing.catalog import Model

_CREATED: Final = 1_760_000_000
_STREAM_TYPE: Final = "text/event-stream;charset=UTF-8"


class Talker:
    """One voice for all models. Deterministic: the seed and the question decide what it says."""

    def __init__(self, *, delay_s: float, seed: int) -> None:
        self.left_early = 0
        """Answers whose client went away before their end."""
        self.closing = asyncio.Event()
        """Ends the answers that hang on purpose."""
        self._delay_s = delay_s
        self._seed = seed
        self._failed: Counter[str] = Counter()
        self._answered = 0

    async def answer(
        self, request: web.Request, body: Mapping[str, Any], model: Model, fault: Fault | None
    ) -> web.StreamResponse:
        question = read_question(body, model)
        wishes = fault.name if fault and fault.name in (*WISHES, "network_error") else ""
        if question.is_stream and wishes != "json_for_stream":
            return await self._play(request, self._stream_steps(question, fault, wishes), _STREAM_TYPE)
        told = jsonx.encode(wire.completion(question, self._answers(question), **self._identity(), wishes=wishes))
        if fault and fault.name in FOR_JSON:
            return await self._play(request, STREAMS[fault.name]([told]), "application/json")
        return sending.whole(Plain(body=told))

    def still_due(self, fault: Fault | None) -> Fault | None:
        """A fault that was asked for a number of times ends after them."""
        if fault is None or not fault.times:
            return fault
        self._failed[fault.name] += 1
        return fault if self._failed[fault.name] <= fault.times else None

    async def _play(self, request: web.Request, steps: Iterator[Step], content_type: str) -> web.StreamResponse:
        try:
            return await sending.play(request, steps, content_type, self.closing)
        except (asyncio.CancelledError, ConnectionError):
            self.left_early += 1
            raise

    def _stream_steps(self, question: Question, fault: Fault | None, wishes: str) -> Iterator[Step]:
        frames = wire.frames(question, self._answers(question), **self._identity(), wishes=wishes)
        if fault and fault.name in STREAMS:
            return STREAMS[fault.name](list(frames))
        return self._paced(frames)

    def _paced(self, frames: Iterable[bytes]) -> Iterator[Step]:
        for frame in frames:
            yield frame
            if self._delay_s:
                yield Pause(self._delay_s)

    def _answers(self, question: Question) -> list[Answer]:
        return [answer(question, seed=self._seed, index=index) for index in range(question.choices)]

    def _identity(self) -> dict[str, Any]:
        self._answered += 1
        return {"id": f"chatcmpl-demo-{self._seed}-{self._answered}", "created": _CREATED + self._answered}
