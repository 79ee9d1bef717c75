"""What is known of one exchange while it runs and after: for the log line, the response headers and the ledger."""

from __future__ import annotations

import msgspec

from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.pool.client_key import ANYONE, Caller
from iflow_cli_proxy.protocols.base import Voice


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    """The account's label."""
    route: str
    """`provider/model`."""
    error_kind: str = ""
    """Empty when the attempt was good."""
    duration_s: float = 0.0


class Exchange(msgspec.Struct, kw_only=True, eq=False):
    """One client request, all its attempts and how it ended. Instants are monotonic seconds."""

    request_id: str
    protocol: str
    started_at: float
    client: str = ""
    """The caller's name, for logs."""
    caller: Caller = ANYONE
    """What the request may use."""
    asked: str = ""
    is_stream: bool = False
    attempts: list[AttemptRecord] = msgspec.field(default_factory=list)
    account: str = ""
    route: str = ""
    usage: Usage | None = None
    status: int = 0
    error_kind: str = ""
    first_byte_s: float | None = None
    waited_s: float = 0.0
    """Time spent waiting for upstreams; the rest of the time until the first byte is ours."""
    bytes_out: int = 0
    voice: Voice | None = None
    """What speaks to the client, once its request was understood."""
    is_queued: bool = False
    """It waits for an account: nothing of it is upstream, and the next word may be a refusal."""
    is_committed: bool = False
    """Something was sent to the client (a head, a ping): from here no attempt may be repeated."""
