"""One small call of a probe, and what was heard.

Knows which failures say something about the question that was asked and which end a probe at once. Refuses to know what
is tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import (
    Blame,
    CapacityError,
    CredentialError,
    Failing,
    GatewayError,
    Malformed,
    Overloaded,
    TimedOut,
    TlsFailed,
    UnknownModel,
    Unreachable,
)
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.gateway.asking import ask
from iflow_cli_proxy.gateway.attempt import Upstream
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.opening import read_all
from iflow_cli_proxy.gateway.refusal import refusal_of
from iflow_cli_proxy.gateway.verdict import find_error
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers.base import Call

_LARGEST_BYTES: Final = 4 * 1024 * 1024
_ENDS_A_PROBE: Final = (CredentialError, CapacityError, UnknownModel, Unreachable, TlsFailed)
"""Whatever is asked next would fail as well."""
_WORTH_ANOTHER_TRY: Final = (Failing, Overloaded, Malformed)
_PAUSE_S: Final = 0.5
_DONE: Final = b"[DONE]"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """An answer: its JSON, or the JSON of its events, or why there is none."""

    body: Json = None
    events: tuple[Json, ...] = ()
    error: GatewayError | None = None

    @property
    def is_refused(self) -> bool:
        """The upstream will not do this, rather than not now."""
        if self.error is None:
            return False
        return self.error.blame is Blame.CLIENT or isinstance(self.error, Failing | Malformed)

    @property
    def is_accepted(self) -> bool | None:
        """None when nobody can tell: it was too slow, or too busy."""
        return True if self.error is None else False if self.is_refused else None

    @property
    def choices(self) -> list[dict[str, Json]]:
        found = self.body.get("choices") if isinstance(self.body, dict) else None
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    @property
    def message(self) -> dict[str, Json]:
        found = self.choices[0].get("message") if self.choices else None
        return found if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        found = self.message.get("content")
        return found if isinstance(found, str) else ""

    @property
    def calls(self) -> list[str]:
        """The names of the functions that it wants called."""
        listed = self.message.get("tool_calls")
        functions = [one.get("function") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        return [str(one.get("name")) for one in functions if isinstance(one, dict)]

    @property
    def is_cut(self) -> bool:
        """It used up its tokens before it was done."""
        return bool(self.choices) and self.choices[0].get("finish_reason") == "length"


class Caller:
    """Asks one model of one upstream on one account, one question at a time, until the time is over."""

    def __init__(
        self,
        upstream: Upstream,
        account: Account,
        model: str,
        *,
        now: Callable[[], float],
        ends_at: float,
        call_s: float,
    ) -> None:
        """`now` and `ends_at` are monotonic; `call_s` is the most that one call may take."""
        self.upstream = upstream
        self.account = account
        self.model = model
        self.calls_made = 0
        self._now = now
        self._ends_at = ends_at
        self._call_s = call_s

    async def ask(self, **fields: Any) -> Heard:
        """What is heard of a question.

        Raises:
            GatewayError: nothing more can be found out now.
        """
        return await self._tried(fields, is_stream=False)

    async def stream(self, **fields: Any) -> Heard:
        """The same, streamed."""
        return await self._tried(fields, is_stream=True)

    async def _tried(self, fields: Mapping[str, Any], *, is_stream: bool) -> Heard:
        for is_last in (False, True):
            limit_s = min(self._call_s, self._ends_at - self._now())
            if limit_s <= 0:
                raise TimedOut("total", self._call_s, hint="try again with a longer --timeout")
            self.calls_made += 1
            try:
                return await self._once(fields, limit_s, is_stream=is_stream)
            except _ENDS_A_PROBE:
                raise
            except GatewayError as error:
                if is_last or not isinstance(error, _WORTH_ANOTHER_TRY):
                    return Heard(error=error)
            await asyncio.sleep(_PAUSE_S)
        raise AssertionError("the second try is the last one")

    async def _once(self, fields: Mapping[str, Any], limit_s: float, *, is_stream: bool) -> Heard:
        call = Call(account=self.account, model=self.model, fields=fields, is_stream=is_stream)
        request = self.upstream.provider.prepare(call)
        if is_stream:
            return Heard(events=await self._events(request, limit_s))
        body = await ask(self.upstream, self.account, request, limit_s=limit_s)
        heard = Heard(body=body)
        if not heard.choices:
            raise Malformed("The upstream's answer has no choices.")
        return heard

    async def _events(self, request: Any, limit_s: float) -> tuple[Json, ...]:
        limits = Limits(first_byte_s=limit_s, idle_s=limit_s, content_s=limit_s, total_s=limit_s)
        deadline, provider = Deadline(limits), self.upstream.provider
        try:
            with deadline:
                reply = await self.upstream.transport.send(request)
            try:
                if reply.status != 200:
                    raise await refusal_of(reply, provider, deadline, self.account.api_key)
                data = await read_all(reply, deadline, _LARGEST_BYTES)
            finally:
                reply.close()
        finally:
            deadline.close()
        events = _decoded(data)
        for event in events:
            error = find_error(provider, 200, reply.headers, event, self.account.api_key)
            if error is not None and not isinstance(error, Malformed):  # some events have no choices
                raise error
        if not events:
            raise Malformed("The upstream's stream has no events.")
        return events


def _decoded(data: bytes) -> tuple[Json, ...]:
    framer = Framer()
    frames = [*framer.feed(data), *framer.close()]
    try:
        return tuple(jsonx.decode(frame.data) for frame in frames if frame.data.strip() != _DONE)
    except JsonError as error:
        raise Malformed("The upstream's stream is not JSON.") from error
