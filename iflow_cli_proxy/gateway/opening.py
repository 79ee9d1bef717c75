"""An upstream's answer from its head to the commit point: is it one, and in which shape does it reach the client?

A caller may want one JSON body while the upstream streams, or the reverse; both are made here from the same events.
What fails here is raised, nothing has gone to the client, and another attempt may follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from iflow_cli_proxy.core.assemble import Assembler, assemble, disassemble
from iflow_cli_proxy.core.errors import GatewayError, Malformed, WebPage
from iflow_cli_proxy.core.events import Ended, Event, Reply
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.core.stage import Chain, Stage, run
from iflow_cli_proxy.core.think_tags import ThinkTags
from iflow_cli_proxy.core.tool_names import NamesRestored
from iflow_cli_proxy.core.tool_use import ToolUseSaid
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.deadline import Deadline
from iflow_cli_proxy.gateway.pipe import FastPipe, Pipe, SlowPipe
from iflow_cli_proxy.gateway.progress import Progress
from iflow_cli_proxy.gateway.refusal import refusal_of
from iflow_cli_proxy.gateway.verdict import Memory, find_error
from iflow_cli_proxy.protocols.base import Codec, EncodeOptions, Envelope, Voice
from iflow_cli_proxy.providers.base import Provider
from iflow_cli_proxy.transport.base import UpstreamReply

MAX_REPLY_BYTES: Final = 32 * 1024 * 1024
MAX_HELD_BYTES: Final = 64 * 1024
"""A stream that has said this much without content is committed anyway."""

_BOM: Final = b"\xef\xbb\xbf"
_EVENT_FIELDS: Final = (b"data", b"event", b"id", b"retry", b":")
"""What a stream of events may begin with (WHATWG HTML, 9.2.6)."""


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """Everything there will be, ready for the client; as frames when `is_stream`."""

    body: bytes
    usage: Usage | None
    is_stream: bool = False


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that has shown content; `ready` is what was held back until it did."""

    pipe: Pipe
    ready: bytes


Found: TypeAlias = Whole | Begun


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """One reply and all that is needed to read it."""

    codec: Codec
    voice: Voice
    """The codec itself, unless what it says is put together of several answers."""
    upstream_codec: Codec
    provider: Provider
    envelope: Envelope
    options: EncodeOptions
    reply: UpstreamReply
    deadline: Deadline
    key: Secret
    """The account's own, which no error may repeat."""
    choices: int = 1
    """How many answers the upstream was asked for."""
    names: Mapping[str, str] = {}
    """The client's names of tools to those upstream, where they differ."""
    show: Callable[[Progress], None] = lambda _: None
    """Told of an answer that is collected while it comes."""

    async def read(self) -> Found:
        """Raises GatewayError when the answer is a refusal, a failure in disguise, or none at all."""
        if not 200 <= self.reply.status < 300:
            raise await refusal_of(self.reply, self.provider, self.deadline, self.key)
        start = await self._start()
        if start.lstrip().startswith(b"<"):
            raise self._judge(None) or WebPage("The upstream answered with a web page.")
        has_events = _begins_events(start)
        if has_events and self.envelope.is_stream:
            return await self._begin(start)
        self.deadline.saw_head()
        if has_events:
            return await self._collected(start)
        body = await read_all(self.reply, self.deadline, MAX_REPLY_BYTES, start)
        return self._replayed(body) if self.envelope.is_stream else self._whole(body)

    def _judge(self, body: Json) -> GatewayError | None:
        """Whole bodies, both pipes and all decoders ask here."""
        return find_error(self.provider, 200, self.reply.headers, body, self.key)

    @property
    def _is_fast(self) -> bool:
        is_same = self.upstream_codec is self.codec is self.voice
        return is_same and not self.options.merges_reasoning and not self.names

    def _restoring(self) -> list[Stage[Event, Event]]:
        """What makes events of this upstream those that the client's protocol speaks of."""
        stages: list[Stage[Event, Event]] = []
        if self.upstream_codec is not self.codec:
            stages = [ThinkTags(), ToolUseSaid()]
        return [*stages, NamesRestored(self.names)] if self.names else stages

    def _restored(self, reply: Reply) -> Reply:
        stages = self._restoring()
        found = assemble(run(Chain(*stages), disassemble(reply))) if stages else reply
        assert isinstance(found, Reply), "a reply has no failure in it"
        return found

    # --- streams --------------------------------------------------------------------------------------------------

    async def _begin(self, chunk: bytes) -> Begun:
        pipe = self._pipe()
        held: list[bytes] = []
        held_bytes = 0
        while True:
            held.append(pipe.feed(chunk) if chunk else pipe.end())
            held_bytes += len(held[-1])
            if pipe.failure is not None and not pipe.has_content:
                raise pipe.failure
            if pipe.has_content or pipe.is_over or held_bytes > MAX_HELD_BYTES:
                break
            chunk = await self._next()
        self.deadline.saw_head()
        return Begun(pipe=pipe, ready=b"".join(held))

    def _pipe(self) -> Pipe:
        words = self.provider.failing_stop_words
        needs_order = self.provider.reuses_call_indexes and "tools" in self.envelope.fields
        if self._is_fast and not needs_order:
            tap = self.codec.tap(self._judge, words, self.choices)
            return FastPipe(self.codec, tap, shows_usage=self.envelope.wants_usage)
        memory = Memory(self._judge)
        decoder = self.upstream_codec.stream_decoder(
            memory.judge, words, self.choices, keeps_extras=self.upstream_codec is self.codec
        )
        events = Chain(decoder, *self._restoring())
        encoder = self.voice.stream_encoder(self.options)
        return SlowPipe(self.upstream_codec.framer(), events, encoder, memory.error_of, self.choices)

    # --- whole bodies ---------------------------------------------------------------------------------------------

    def _whole(self, body: bytes) -> Whole:
        """A JSON answer for a client that asked for one."""
        words = self.provider.failing_stop_words
        if self._is_fast:
            usage = self.codec.read_reply(body, self._judge, words)
            return Whole(body=body.removeprefix(_BOM), usage=usage)
        reply = self._restored(self.upstream_codec.decode_reply(body, self._judge, words))
        return Whole(body=self.voice.encode_reply(reply, self.options), usage=reply.usage)

    def _replayed(self, body: bytes) -> Whole:
        """The upstream did not stream although it was asked: the same conversation as events."""
        reply = self._restored(self.upstream_codec.decode_reply(body, self._judge, self.provider.failing_stop_words))
        frames = run(self.voice.stream_encoder(self.options), disassemble(reply))
        return Whole(body=b"".join(frames), usage=reply.usage, is_stream=True)

    async def _collected(self, chunk: bytes) -> Whole:
        """The upstream streams although nobody asked: the same conversation, assembled while it comes."""
        memory = Memory(self._judge)
        words = self.provider.failing_stop_words
        decoder = self.upstream_codec.stream_decoder(
            memory.judge, words, self.choices, keeps_extras=self.upstream_codec is self.codec
        )
        events = Chain(self.upstream_codec.framer(), decoder, *self._restoring())
        assembler = Assembler()
        self.show(assembler)
        size = 0
        is_over = False
        while not is_over:
            size += len(chunk)
            if size > MAX_REPLY_BYTES:
                raise _too_large()
            is_over = _assemble(events.feed(chunk) if chunk else events.close(), assembler, memory) or not chunk
            if not is_over:
                chunk = await self._next()
                self.deadline.saw_content()
        reply = assembler.reply()
        return Whole(body=self.voice.encode_reply(reply, self.options), usage=reply.usage)

    # --- reading --------------------------------------------------------------------------------------------------

    async def _start(self) -> bytes:
        """The beginning of the body, as much of it as tells events from anything else; b"" when it is empty."""
        start = b""
        while (_BOM.startswith(start) or not start.removeprefix(_BOM).strip()) and len(start) < MAX_HELD_BYTES:
            chunk = await self._next()
            if not chunk:
                break
            start += chunk
        return start

    async def _next(self) -> bytes:
        with self.deadline:
            return await self.reply.read()


def _assemble(events: list[Event], assembler: Assembler, memory: Memory) -> bool:
    """Whether the stream has come to its good end; raises what it failed with."""
    for event in events:
        assembler.feed(event)
        if isinstance(event, Ended):
            return True
    if assembler.failure is not None:
        raise memory.error_of(assembler.failure)
    return False


def _begins_events(start: bytes) -> bool:
    """Whether these are events, whatever the content type claims; one letter must do."""
    if start.startswith(b"{"):
        return False
    head = start.removeprefix(_BOM).lstrip()[:5]
    return bool(head) and any(head.startswith(field) or field.startswith(head) for field in _EVENT_FIELDS)


async def read_all(reply: UpstreamReply, deadline: Deadline, limit_bytes: int, start: bytes = b"") -> bytes:
    """`start` and the rest of the body. Raises Malformed past the limit."""
    pieces, size = [start], len(start)
    while True:
        with deadline:
            chunk = await reply.read()
        if not chunk:
            return b"".join(pieces)
        deadline.saw_content()
        pieces.append(chunk)
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large()


def _too_large() -> Malformed:
    return Malformed("The upstream's answer is too large.")
