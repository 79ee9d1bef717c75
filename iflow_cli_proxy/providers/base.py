"""The provider port: what one company's service needs beyond its public protocol.

A provider turns a checked request into bytes for its upstream and recognises that upstream's ways of failing.
It keeps no sockets, files or tasks; clock and entropy are handed to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.routing.catalog import Catalog
from iflow_cli_proxy.transport.base import UpstreamRequest


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, before it becomes bytes."""

    account: Account
    model: str
    """The upstream's name for the model."""
    fields: Mapping[str, Any]
    """Top-level fields of the body in the provider's protocol, `jsonx.Raw` or plain, without `model` and `stream`.
    Checked already; `prepare` builds its own dict and never changes this one."""
    is_stream: bool
    protocol: str = "openai_chat"
    """What `fields` are worded in: the provider's own protocol, or one that is passed on as it is (embeddings)."""
    conversation: str = ""
    """The client's own conversation or session id, empty when it gave none."""
    wants_usage: bool = True
    """Ask a stream for its usage (the gateway hides it from a client that did not)."""


class Provider(Protocol):
    @property
    def name(self) -> str:
        """As in `[providers.NAME]`."""
        ...

    @property
    def protocol(self) -> str:
        """The codec its upstream speaks, a key of CODECS."""
        ...

    @property
    def passes_on(self) -> frozenset[str]:
        """Protocols without a conversation that its upstream serves as well, under their own paths."""
        ...

    @property
    def profile(self) -> Profile:
        """What is known of its upstream before anybody has probed it."""
        ...

    @property
    def catalog(self) -> Catalog: ...

    @property
    def default_concurrency(self) -> int:
        """Requests at one time on one account unless configured otherwise; 0 for no limit."""
        ...

    @property
    def failing_stop_words(self) -> frozenset[str]:
        """Finish reasons that report an upstream failure, not an end (`network_error`)."""
        ...

    @property
    def reuses_call_indexes(self) -> bool:
        """Two tool calls of one stream may bear the same index, so such streams are numbered anew."""
        ...

    @property
    def support_id_header(self) -> str:
        """The answer's header (lower case) that the upstream's support asks for; empty when there is none."""
        ...

    @property
    def hint_when_gone(self) -> str:
        """What a person can do when its hosts do not answer at all; empty when nothing special is known."""
        ...

    def prepare(self, call: Call) -> UpstreamRequest:
        """URL, headers and body of one attempt. Raises InvalidRequest when the upstream cannot take the request."""
        ...

    def models_request(self, account: Account) -> UpstreamRequest | None:
        """How to ask the upstream for its own list; None when it has none."""
        ...

    def find_error(self, status: int, headers: Mapping[str, str], body: Json) -> GatewayError | None:
        """The failure that an answer reports, None when it is a good one.

        `body` is the decoded JSON object, or None when the body was empty or not JSON (an HTML page). Called for
        every status other than 200 (and then never answers None), and at status 200 for any object without
        `choices`, in a JSON body as well as in an event of a stream, and for one whose finish reason is a failing
        stop word.
        """
        ...
