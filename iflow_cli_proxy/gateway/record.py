"""What is known of one exchange while it runs and after: for the log line, the response headers and the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from iflow_cli_proxy.core.repair import Note
from iflow_cli_proxy.core.trace import Trace
from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.flight import Flight
from iflow_cli_proxy.gateway.progress import Progress
from iflow_cli_proxy.pool.client_key import ANYONE, Caller
from iflow_cli_proxy.protocols.base import Voice
from iflow_cli_proxy.routing.resolve import Route

CLIENT_GONE: Final = 499
"""The status of a request whose client left, as nginx words it; never sent to anyone."""
_GONE_KIND: Final = "client_gone"


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    """The account's label."""
    route: str
    """`provider/model`."""
    error_kind: str = ""
    """Empty when the attempt was good."""
    duration_s: float = 0.0
    started_at: float = 0.0
    """Monotonic seconds."""
    status: int = 0
    """Of the upstream's answer; 0 where none came."""


class Exchange(msgspec.Struct, kw_only=True, eq=False):
    """One client request, all its attempts and how it ended. Instants are monotonic seconds."""

    request_id: str
    """What it is searched for by; a word of the client's own, perhaps, and then not of this exchange alone."""
    protocol: str
    started_at: float
    answer_id: str = ""
    """Nobody else's, and nobody could have foreseen it: what its answer may be asked for by."""
    client: str = ""
    """The caller's name, for logs."""
    caller: Caller = ANYONE
    """What the request may use."""
    asked: str = ""
    is_stream: bool = False
    attempts: list[AttemptRecord] = msgspec.field(default_factory=list)
    account: str = ""
    route: str = ""
    answered_by: Route | None = None
    """Where the answer came from, once there is one."""
    usage: Usage | None = None
    status: int = 0
    error_kind: str = ""
    usage_beside: Usage = Usage()
    """Of what was asked for its sake but is no part of the answer: descriptions of images."""
    requests_beside: int = 0
    """How many requests that took."""
    beside: list[Exchange] = msgspec.field(default_factory=list)
    """These requests themselves, for what each of them cost."""
    described: str = ""
    """What became of its images, for the client; empty when nothing was described."""
    repairs: int = 0
    """How many changes its messages needed before anybody could take them."""
    first_byte_s: float | None = None
    waited_s: float = 0.0
    """Time spent waiting for upstreams; the rest of the time until the first byte is ours."""
    bytes_in: int = 0
    """Of its body, as far as it was read."""
    bytes_out: int = 0
    notes: tuple[Note, ...] = ()
    """What translation left out or said in another way, in the last attempt."""
    trace: Trace | None = None
    """Where it stands in a trace; None where nobody traces."""
    flight: Flight | None = None
    """What the flight recorder notes; None where it is switched off."""
    voice: Voice | None = None
    """What speaks to the client, once its request was understood."""
    progress: Progress | None = None
    """Of the answer that is under way; what it says stands still once that has ended."""
    is_asking: bool = False
    """A model's answer to it is being waited for or read: the only silence in which a ping may open the stream."""
    is_committed: bool = False
    """Something was sent to the client (a head, a ping): from here no attempt may be repeated."""
    at_end: list[Callable[[], None]] = msgspec.field(default_factory=list)
    """Gives back what was held for the request; whoever made the exchange calls `end`, whatever became of it."""

    @property
    def is_left(self) -> bool:
        """Its client did not wait for the end."""
        return self.status == CLIENT_GONE or self.error_kind == _GONE_KIND

    def show(self, progress: Progress | None) -> None:
        """Let whoever looks see how far the answer is."""
        self.progress = progress

    def leave(self) -> None:
        """Nobody is left to be answered."""
        self.status, self.error_kind = CLIENT_GONE, self.error_kind or _GONE_KIND

    def end(self) -> None:
        while self.at_end:
            self.at_end.pop()()
        self.progress = None  # a pipe that failed holds on to all that was under way then
