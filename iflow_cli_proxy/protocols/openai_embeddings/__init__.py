"""OpenAI's Embeddings: passed to upstreams that have them, and never translated.

Knows enough to route a request and to tell an answer from a failure. There is no conversation in it, so most of what a
codec does has nothing to work on here.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, Malformed
from iflow_cli_proxy.core.events import Event, Reply, failed
from iflow_cli_proxy.core.jsonx import Json, JsonError
from iflow_cli_proxy.core.request import ChatRequest
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions, Envelope, Inbound, Judge, RouteSpec, Seen
from iflow_cli_proxy.protocols.checking import ModelName, invalid, read_object
from iflow_cli_proxy.protocols.judging import judged
from iflow_cli_proxy.protocols.openai_codec import OpenAiCodec
from iflow_cli_proxy.protocols.openai_usage import decode_usage

_Tokens = Annotated[list[int], Meta(min_length=1, max_length=200_000)]


class WireRequest(Struct):
    """What is checked; everything else is the upstream's business. Source: OpenAI API reference, "Embeddings"."""

    model: ModelName
    input: Annotated[str, Meta(min_length=1)] | Annotated[list[str | int | _Tokens], Meta(min_length=1)]
    dimensions: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    encoding_format: str | None = None
    user: str | None = None


class WireReply(Struct):
    data: list[dict[str, Any]]
    usage: Any = None


_decode_reply: Final = jsonx.typed(WireReply)


class NoStream:
    """Embeddings do not stream: an upstream that does so anyway has not understood."""

    usage: Usage | None = None
    is_finished = False

    def feed(self, frame: Frame | Event, /) -> list[Any]:
        return [failed(_not_an_answer())]

    def close(self) -> list[Any]:
        return [failed(_not_an_answer())]

    def look(self, data: bytes) -> Seen:
        raise _not_an_answer()


class OpenAiEmbeddings(OpenAiCodec):
    """The codec; it has no state."""

    name: Final = "openai_embeddings"
    is_passed_on = True
    routes: Final = (
        RouteSpec(method="POST", path="/v1/embeddings"),
        RouteSpec(method="POST", path="/embeddings"),
    )
    ping = b""

    def read_envelope(self, inbound: Inbound) -> Envelope:
        try:
            values = read_object(inbound.body)
            request = jsonx.convert(values, WireRequest)
        except JsonError as error:
            raise invalid(error, inbound.body) from error
        return Envelope(
            model=request.model,
            is_stream=False,
            wants_usage=True,
            fields=jsonx.without(jsonx.raw_fields(inbound.body), "model"),
            values=values,
        )

    def decode_request(self, envelope: Envelope) -> ChatRequest:
        """No conversation, and an answer of a form that nothing can be joined to."""
        return ChatRequest(model=envelope.model, messages=(), response_format={"type": self.name})

    def encode_request(self, chat: ChatRequest) -> dict[str, Json]:
        return {}

    def read_reply(self, body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Usage | None:
        try:
            return decode_usage(_decode_reply(body).usage)
        except JsonError as error:
            raise judged(body, judge) from error

    def decode_reply(self, body: bytes, judge: Judge, failing_words: frozenset[str] = frozenset()) -> Reply:
        raise judged(body, judge)

    def encode_reply(self, whole: Reply, options: EncodeOptions) -> bytes:
        raise _not_an_answer()

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> NoStream:
        return NoStream()

    def stream_encoder(self, options: EncodeOptions) -> NoStream:
        return NoStream()

    def stream_error(self, error: GatewayError) -> bytes:
        return b""

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> NoStream:
        return NoStream()

    def carries_content(self, data: bytes) -> bool:
        return False


def _not_an_answer() -> Malformed:
    return Malformed("The upstream answered a request for embeddings with something else.")


CODEC: Final = OpenAiEmbeddings()
