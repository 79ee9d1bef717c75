"""The codec port: what every public API family must be able to do, in symmetrical pairs.

*Decode* always means wire to canonical. A codec is pure: no sockets, clock, randomness or logging; ids and instants it
needs are handed to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol, TypeAlias

import msgspec

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.events import Event, Reply
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.request import ChatRequest, Image, Text
from iflow_cli_proxy.core.sse import Frame
from iflow_cli_proxy.core.stage import Stage
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.listing import ModelRow

Judge: TypeAlias = Callable[[Json], GatewayError | None]
"""What a JSON object that is not an answer means; the provider knows its upstream's ways. None: nothing known."""


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """One client request as it came in. Header names are lower case; nothing in it has been believed yet."""

    protocol: str
    body: bytes
    headers: Mapping[str, str] = {}
    path: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    request_id: str = ""
    client: str = ""
    """Name of the client key, empty when none was needed."""


class Envelope(msgspec.Struct, kw_only=True):
    """The outside of a checked request: enough to route it, without building the canonical form."""

    model: str
    is_stream: bool
    wants_usage: bool
    """The client asked to see usage at the end of its stream."""
    fields: Mapping[str, Any]
    """The other top-level fields, each as raw JSON, for an upstream that speaks the same protocol."""
    values: Json
    """The whole body, decoded, for `decode_request`."""
    choices: int = 1
    """How many answers the client wants to its one question."""
    flavor: str = ""
    """Which of its protocol's forms the client wants, where there are several (Gemini's events or JSON array); empty
    for the form that `encode_request` writes."""
    may_be_shortened: bool = False
    """The client asked for its oldest turns to be dropped rather than to be told that they are too many."""


class PlacedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a request and where it stands."""

    path: str
    """JSON path of its URL or its data, such as `messages[1].content[0].image_url.url`."""
    image: Image
    near: str = ""
    """The text of the same message."""


@dataclass(frozen=True, kw_only=True)
class RouteSpec:
    """An HTTP route a codec answers on."""

    method: str
    path: str
    operation: str = "generate"


@dataclass(frozen=True, kw_only=True)
class Counter:
    """A protocol's question how many tokens a prompt has."""

    protocol: str
    paths: tuple[str, ...]
    read_envelope: Callable[[Inbound], Envelope]
    """Raises InvalidRequest naming the JSON path."""
    encode: Callable[[int], bytes]


@dataclass(frozen=True, kw_only=True)
class ErrorReply:
    """An error in its protocol's own words."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class EncodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What an encoder is told about this client and this answer."""

    id: str = ""
    """Stands in where the upstream gave no id."""
    created: int = 0
    """Epoch seconds, likewise."""
    model: str = ""
    shows_usage: bool = True
    merges_reasoning: bool = False
    """Thinking becomes part of the text instead of a field of its own."""
    asked: Mapping[str, Json] = {}
    """The client's request as it was written (`Envelope.values`): some protocols repeat it in their answers."""
    prompt_tokens: int = 0
    """As estimated, for protocols that report them before the upstream does."""
    elapsed_s: Callable[[], float] | None = None
    """How long this exchange has taken so far, for protocols that tell; None when nobody measures."""


class Seen(Enum):
    """What a tap makes of one frame."""

    CONTENT = 1
    """Goes to the client, and shows that the model is alive."""
    QUIET = 2
    """Goes to the client, carries nothing a person would read."""
    USAGE = 3
    """Only usage; goes to a client that asked for it."""
    NOTHING = 4
    """Goes nowhere."""
    DONE = 5
    """The end marker."""


class Tap(Protocol):
    """Looks at a stream that is passed through. Remembers usage and whether the end was reached."""

    @property
    def usage(self) -> Usage | None: ...

    @property
    def is_finished(self) -> bool:
        """Every answer that was asked for, and every one in the stream, has said why it ended."""
        ...

    def look(self, data: bytes) -> Seen:
        """Raises GatewayError when the frame reports a failure or is not what the protocol promises."""
        ...


class Voice(Protocol):
    """What speaks to the client: a codec, one of its flavors, or something that puts several answers together."""

    @property
    def stream_type(self) -> str:
        """Content type of a stream."""
        ...

    @property
    def ping(self) -> bytes:
        """What keeps a silent stream alive, complete on the wire; empty where the protocol has nothing of the kind."""
        ...

    def encode_reply(self, reply: Reply, options: EncodeOptions) -> bytes: ...

    def stream_encoder(self, options: EncodeOptions) -> Stage[Event, bytes]:
        """Bytes of whole frames; a Failed event becomes the protocol's error event and no end marker."""
        ...

    def stream_error(self, error: GatewayError) -> bytes:
        """The error event that ends a stream whose head was already sent."""
        ...


class Codec(Voice, Protocol):
    @property
    def name(self) -> str: ...

    @property
    def is_passed_on(self) -> bool:
        """Upstreams are asked in this very protocol, whatever they speak otherwise: it has no canonical form."""
        ...

    @property
    def picture_marks(self) -> tuple[bytes, ...]:
        """One of these stands in every body that holds a picture or a document."""
        ...

    @property
    def routes(self) -> tuple[RouteSpec, ...]: ...

    @property
    def end_marker(self) -> bytes:
        """What ends a good stream on the wire; empty when the protocol has none."""
        ...

    def read_envelope(self, inbound: Inbound) -> Envelope:
        """Check the whole request. Raises InvalidRequest naming the JSON path."""
        ...

    def answer_at_once(self, envelope: Envelope, now: float) -> bytes | None:
        """The whole answer to a request that asks no model anything; None for every other. `now` is epoch seconds."""
        ...

    def voice(self, envelope: Envelope) -> Voice:
        """What speaks to this client: the codec itself unless its flavor, or a count of events, needs another."""
        ...

    def framer(self) -> Stage[bytes, Frame]:
        """Cuts an upstream's stream into frames."""
        ...

    def repair(self, envelope: Envelope) -> tuple[Envelope, tuple[Note, ...]]:
        """The envelope itself when nothing is wrong with its messages, else a mended one and what was done.

        Raises InvalidRequest for what nobody can mend and no upstream takes.
        """
        ...

    def decode_request(self, envelope: Envelope) -> ChatRequest:
        """In canonical words; what has none and may not be lost in silence is told in `notes`."""
        ...

    def encode_request(self, request: ChatRequest) -> dict[str, Json]:
        """Top-level body fields, without `model` and `stream`."""
        ...

    def find_images(self, envelope: Envelope) -> tuple[PlacedImage, ...]:
        """Every image in its messages, those in tool results included, in order."""
        ...

    def replace_images(self, envelope: Envelope, parts: Mapping[str, Text | Image]) -> Envelope:
        """The same request with other parts at these paths of `find_images`; all else stays as it was written."""
        ...

    def read_reply(self, body: bytes, judge: Judge, failing_words: frozenset[str] = ...) -> Usage | None:
        """Check a whole answer that is to be passed on unchanged. Raises GatewayError when it is none."""
        ...

    def decode_reply(self, body: bytes, judge: Judge, failing_words: frozenset[str] = ...) -> Reply:
        """Raises GatewayError when the body is not an answer."""
        ...

    def count_choices(self, body: bytes) -> int:
        """How many answers a request of ours asks an upstream for."""
        ...

    def stream_decoder(
        self, judge: Judge, failing_words: frozenset[str], choices: int = 1, *, keeps_extras: bool = True
    ) -> Stage[Frame, Event]:
        """`choices` answers were asked for: a stream without an end marker is whole only with all of them.

        Without `keeps_extras` a codec may leave out what only its own protocol has words for.
        """
        ...

    def decode_error(self, body: Json) -> GatewayError | None:
        """What an error body of this protocol says, None when it is not one.

        In the speaker's words and from its side: "unauthenticated" from an upstream is about our key there.
        """
        ...

    def encode_error(self, error: GatewayError, request_id: str) -> ErrorReply: ...

    def model_object(self, row: ModelRow) -> Json:
        """One model, as its clients look it up."""
        ...

    def model_page(self, rows: Sequence[ModelRow], query: Mapping[str, str]) -> Json:
        """What can be asked for, or the page of it that the query wants. Raises InvalidRequest naming the parameter."""
        ...

    def tap(self, judge: Judge, failing_words: frozenset[str], choices: int = 1) -> Tap:
        """`choices` as in `stream_decoder`."""
        ...

    def carries_reasoning(self, data: bytes) -> bool:
        """Whether a frame that `Tap.look` found good shows the model's thinking, and no answer yet. Never raises."""
        ...

    def carries_content(self, data: bytes) -> bool:
        """Whether a frame that `Tap.look` found good is past the commit point.

        Looks closer than the tap. Raises GatewayError when the frame is not what the protocol promises after all.
        """
        ...
