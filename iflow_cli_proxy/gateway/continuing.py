"""An answer that stopped at a length limit nobody set, asked on and joined until it ends or has been asked on enough.

Knows answers, and how the client's protocol words one. Refuses to know how the next one is asked for. What was
delivered is good: should asking on fail, the answer ends as it would have ended without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from iflow_cli_proxy.core.assemble import Assembler, disassemble
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Event, Reply
from iflow_cli_proxy.core.request import ChatRequest, Message, Role, Text
from iflow_cli_proxy.core.stage import Chain, Stage
from iflow_cli_proxy.core.usage import Usage, estimate_tokens
from iflow_cli_proxy.gateway.joining import Joiner
from iflow_cli_proxy.gateway.progress import Further
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import Answer, StreamAnswer, WholeAnswer
from iflow_cli_proxy.protocols.base import EncodeOptions, Voice

AskOn: TypeAlias = Callable[[str, Exchange], Awaitable[Answer]]
"""Asks for what follows the text that was said so far; the answer speaks through the same Seam, and its facts go into
an exchange of its own."""

GO_ON: Final = (
    "Your answer was cut off by a length limit. Continue it exactly where it stopped, in the middle of the word or line"
    " if need be. Do not repeat anything, do not comment on this, do not open a new code block."
)
_LIMITS: Final = ("max_new_tokens", "max_output_tokens")
"""What some clients call a limit that we have no word for."""


def may_continue(request: ChatRequest) -> bool:
    """Whether a length limit that stops the answer is not the client's, and several answers can become one.

    An answer in a prescribed form is not joined: each would be a whole of that form.
    """
    sampling, extras = request.sampling, [fields for fields in request.extras.values() if fields]
    return not (
        sampling.max_tokens
        or sampling.n > 1
        or (request.response_format or {}).get("type", "text") != "text"
        or any(fields.get(name) for fields in extras for name in (*_LIMITS, "logprobs", "audio"))
    )


def asking_on(request: ChatRequest, text: str) -> ChatRequest:
    """The conversation with what the model has said so far, and the wish that it go on."""
    said = Message(role=Role.ASSISTANT, parts=(Text(text=text),))
    wish = Message(role=Role.USER, parts=(Text(text=GO_ON),))
    return msgspec.structs.replace(request, messages=(*request.messages, said, wish))


class Seam:
    """Speaks to the client in place of its voice, for all answers that become one."""

    def __init__(self, voice: Voice, times: int) -> None:
        self._voice = voice
        self._times = times
        self._joiner = Joiner(times)
        self._encoder: Stage[Event, bytes] | None = None
        self._assembler = Assembler()
        self._options = EncodeOptions()
        self.is_mended = False
        """It came to its end although asking on failed."""

    @property
    def stream_type(self) -> str:
        return self._voice.stream_type

    @property
    def ping(self) -> bytes:
        return self._voice.ping

    @property
    def wants_more(self) -> bool:
        return self._joiner.wants_more

    @property
    def text(self) -> str:
        return self._joiner.text

    def stream_encoder(self, options: EncodeOptions) -> Stage[Event, bytes]:
        """For the next answer, or another try at it; nothing a client has seen depends on a first one that failed."""
        if self._joiner.is_first or self._encoder is None:
            self._joiner, self._encoder = Joiner(self._times), self._voice.stream_encoder(options)
        else:
            self._joiner.go_on()
        return Chain(self._joiner, self._encoder)

    def encode_reply(self, reply: Reply, options: EncodeOptions) -> bytes:
        """The whole so far; nothing while more is wanted."""
        self._options = options
        if not self._joiner.is_first:
            self._joiner.go_on()
        for event in disassemble(reply):
            self._assemble(self._joiner.feed(event))
        return b"" if self.wants_more else self._voice.encode_reply(self._assembler.reply(), options)

    def stream_error(self, error: GatewayError) -> bytes:
        """A good end where one can be made of what was said, else the protocol's error event."""
        return self.finish_stream() if self._joiner.can_finish else self._voice.stream_error(error)

    def finish_stream(self) -> bytes:
        self.is_mended = True
        assert self._encoder is not None, "a stream is finished after it was begun"
        return b"".join(frame for event in self._joiner.finish() for frame in self._encoder.feed(event))

    def finish_reply(self) -> bytes:
        self.is_mended = True
        self._assemble(self._joiner.finish())
        return self._voice.encode_reply(self._assembler.reply(), self._options)

    def _assemble(self, events: list[Event]) -> None:
        for event in events:
            self._assembler.feed(event)


async def continued(
    first: Answer, seam: Seam, ask_on: AskOn, exchange: Exchange, *, close: Callable[[], None] = lambda: None
) -> Answer:
    """`first`, spoken through `seam`, and what follows it: a JSON answer is asked on at once, a stream as it is read.

    The usage and the errors that `exchange` ends with are those of the answer as a whole. `close` is called at the end
    of a stream.
    """
    if not isinstance(first, WholeAnswer):
        return ContinuedStream(first, seam, ask_on, exchange, close)
    answer, rounds = first, _Rounds(exchange)
    try:
        while seam.wants_more:
            further = await ask_on(seam.text, rounds.next())
            assert isinstance(further, WholeAnswer), "a question is answered in the form it was asked in"
            answer = further
    except GatewayError:
        answer = WholeAnswer(body=seam.finish_reply(), headers=answer.headers)
    finally:
        rounds.sum_up()
        said = Usage(completion=estimate_tokens(len(seam.text)), is_estimated=True)
        exchange.usage = exchange.usage or said
    return answer


class ContinuedStream:
    """Several streams as one. The next is asked for when the one before has been read to its end."""

    def __init__(
        self, first: StreamAnswer, seam: Seam, ask_on: AskOn, exchange: Exchange, close: Callable[[], None]
    ) -> None:
        self.headers: Mapping[str, str] = first.headers
        self._now = first
        self._seam = seam
        self._ask_on = ask_on
        self._exchange = exchange
        self._close = close
        self._rounds = _Rounds(exchange)
        self._is_closed = False

    async def read(self) -> bytes:
        while True:
            if frames := await self._now.read():
                return frames
            if not self._seam.wants_more:
                return b""
            await self._now.aclose()  # its account may be the only one there is
            try:
                further = await self._ask_on(self._seam.text, self._rounds.next())
            except GatewayError:
                return self._seam.finish_stream()
            assert not isinstance(further, WholeAnswer), "a question is answered in the form it was asked in"
            self._now = further

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._now.aclose()
        finally:
            self._close()
            self._rounds.sum_up()
            if self._seam.is_mended:
                self._exchange.error_kind = ""


class _Rounds:
    """The exchange of an answer, and one for each that follows it.

    Nothing of a further answer has gone to the client while it is waited for, so it may fail over and be renewed as if
    it were the first; the attempts of all are listed together.
    """

    def __init__(self, first: Exchange) -> None:
        self._first = first
        self._further: list[Exchange] = []

    def next(self) -> Exchange:
        first = self._first
        further = msgspec.structs.replace(
            first, usage=None, error_kind="", is_asking=False, is_committed=False, progress=None
        )
        first.progress = Further(first.progress, further)
        self._further.append(further)
        return further

    def sum_up(self) -> None:
        """Everything that was used, and what went wrong in the end; once."""
        further, self._further = self._further, []
        for one in further:
            if one.usage is not None:
                self._first.usage = one.usage if self._first.usage is None else self._first.usage + one.usage
            self._first.error_kind = one.error_kind or self._first.error_kind
            self._first.waited_s = max(self._first.waited_s, one.waited_s)
