"""An upstream's answer from its head to the commit point: is it one, and in which shape does it reach the client?

A caller may want one JSON body while the upstream streams, or the reverse; both are made here from the same events.
What fails here is raised, nothing has gone to the client, and another attempt may follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.assemble import assemble, disassemble
from iflow_cli_proxy.core.errors import GatewayError, Malformed, of_kind
from iflow_cli_proxy.core.events import Failed
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import Chain, run
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.deadline import Deadline
from iflow_cli_proxy.gateway.pipe import FastPipe, Pipe, SlowPipe
from iflow_cli_proxy.protocols.base import Codec, EncodeOptions, Envelope
from iflow_cli_proxy.providers.base import Provider
from iflow_cli_proxy.transport.base import UpstreamReply

MAX_REPLY_BYTES: Final = 32 * 1024 * 1024
MAX_ERROR_BYTES: Final = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Everything there will be, ready for the client; as frames when `is_stream`."""

    body: bytes
    usage: Usage | None
    is_stream: bool = False


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A stream that has shown content; `ready` is what was held back until it did."""

    pipe: Pipe
    ready: bytes


Found: TypeAlias = Whole | Begun


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One reply and all that is needed to read it."""

    codec: Codec
    upstream_codec: Codec
    provider: Provider
    envelope: Envelope
    options: EncodeOptions
    reply: UpstreamReply
    deadline: Deadline

    async def read(self) -> Found:
        """Raises GatewayError when the answer is a refusal, a failure in disguise, or none at all."""
        status = self.reply.status
        if not 200 <= status < 300:
            raise self._refused(status, await read_all(self.reply, self.deadline, MAX_ERROR_BYTES, is_strict=False))
        first = await self._next()
        if not self.envelope.is_stream:
            self.deadline.saw_head()
            return self._whole(await read_all(self.reply, self.deadline, MAX_REPLY_BYTES, first))
        if _looks_like_json(first):
            self.deadline.saw_head()
            return self._replayed(await read_all(self.reply, self.deadline, MAX_REPLY_BYTES, first))
        return await self._begin(first)

    def _judge(self, body: Json) -> GatewayError | None:
        return self.provider.find_error(200, self.reply.headers, body)

    @property
    def _is_fast(self) -> bool:
        return self.upstream_codec is self.codec and not self.options.merges_reasoning

    # --- streams --------------------------------------------------------------------------------------------------

    async def _begin(self, chunk: bytes) -> Begun:
        pipe = self._pipe()
        held: list[bytes] = []
        while True:
            held.append(pipe.feed(chunk) if chunk else pipe.end())
            if pipe.failure is not None and not pipe.has_content:
                raise pipe.failure
            if pipe.has_content or pipe.is_over:
                break
            chunk = await self._next()
        self.deadline.saw_head()
        return Begun(pipe=pipe, ready=b"".join(held))

    def _pipe(self) -> Pipe:
        words = self.provider.failing_stop_words
        if self._is_fast:
            tap = self.codec.tap(self._judge, words)
            return FastPipe(self.codec, tap, shows_usage=self.envelope.wants_usage)
        decoder = self.upstream_codec.stream_decoder(self._judge, words)
        return SlowPipe(decoder, self.codec.stream_encoder(self.options))

    # --- whole bodies ---------------------------------------------------------------------------------------------

    def _whole(self, body: bytes) -> Whole:
        """A JSON answer for a client that asked for one."""
        if body and not _looks_like_json(body):
            return self._collected(body)
        if self._is_fast:
            return Whole(body=body, usage=self.codec.read_reply(body, self._judge))
        reply = self.upstream_codec.decode_reply(body, self._judge)
        return Whole(body=self.codec.encode_reply(reply, self.options), usage=reply.usage)

    def _collected(self, body: bytes) -> Whole:
        """The upstream streamed although nobody asked: the same conversation, assembled."""
        decoder = self.upstream_codec.stream_decoder(self._judge, self.provider.failing_stop_words)
        reply = assemble(run(Chain(Framer(), decoder), [body]))
        if isinstance(reply, Failed):
            raise of_kind(reply.kind, reply.message, code=reply.code or None)
        return Whole(body=self.codec.encode_reply(reply, self.options), usage=reply.usage)

    def _replayed(self, body: bytes) -> Whole:
        """The upstream did not stream although it was asked: the same conversation as events."""
        reply = self.upstream_codec.decode_reply(body, self._judge)
        frames = run(self.codec.stream_encoder(self.options), disassemble(reply))
        return Whole(body=b"".join(frames), usage=reply.usage, is_stream=True)

    # --- reading --------------------------------------------------------------------------------------------------

    async def _next(self) -> bytes:
        with self.deadline:
            return await self.reply.read()

    def _refused(self, status: int, body: bytes) -> GatewayError:
        try:
            value = jsonx.decode(body)
        except JsonError:
            value = None
        error = self.provider.find_error(status, self.reply.headers, value)
        return error or Malformed(f"The upstream answered with status {status}.")


def _looks_like_json(chunk: bytes) -> bool:
    """Whether this is a JSON or an HTML body rather than events, whatever its content type claims."""
    start = chunk.removeprefix(b"\xef\xbb\xbf").lstrip()[:5].lower()
    return start[:1] in (b"{", b"[", b"<") or start.startswith((b"null", b"true", b"false"))


async def read_all(
    reply: UpstreamReply, deadline: Deadline, limit_bytes: int, first: bytes = b"", *, is_strict: bool = True
) -> bytes:
    """`first` and the rest of the body; past the limit Malformed, or without `is_strict` what fits."""
    pieces, size = [first], len(first)
    while True:
        with deadline:
            chunk = await reply.read()
        if not chunk:
            return b"".join(pieces)
        deadline.saw_content()
        pieces.append(chunk)
        size += len(chunk)
        if size > limit_bytes:
            if not is_strict:
                return b"".join(pieces)
            raise Malformed("The upstream's answer is too large.")
