"""The transport port: bytes out, bytes in. No JSON, no SSE, no provider, no retry.

A transport keeps connections, verifies certificates, honours a proxy, and says precisely how a request failed.
It never follows a redirect, never retries, never sets a header nobody asked for beyond what HTTP/1.1 requires.
Time limits other than connecting belong to the caller (`gateway/deadline.py`), who cancels; a cancelled or
closed reply closes its socket at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec


class UpstreamRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, complete. `headers` are sent in this order and spelling."""

    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    method: str = "POST"
    fields: tuple[str, ...] = ()
    """Names of the top-level fields of the body, for the record, where its maker knows them."""

    def __repr__(self) -> str:
        """Without what may hold secrets: the query, the headers and the body."""
        return f"UpstreamRequest({self.method} {self.url.partition('?')[0]}, {len(self.body)} bytes)"


@dataclass(frozen=True, kw_only=True)
class TransportOptions:
    """What a connection needs to know; equal options share one transport."""

    kind: str = "auto"
    """`plain`, `mimic`, or `auto`, which is `plain` unless the provider prefers otherwise."""
    impersonate: str = "chrome124"
    """The browser whose handshake `mimic` shows (curl_cffi names)."""
    proxy: str = ""
    """`http://`, `https://`, `socks5://` or `socks5h://` URL, credentials allowed; empty for none."""
    trust_env: bool = False
    """Read HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY when `proxy` is empty."""
    ca_file: str = ""
    """A PEM bundle that replaces the default trust store."""
    connect_timeout_s: float = 5.0
    """DNS, TCP, proxy and TLS together."""


class UpstreamReply(Protocol):
    """An answer whose head has arrived. Use it once, then close it, always (`finally: reply.close()`)."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Lower-case names; of a repeated header the first value."""
        ...

    async def read(self) -> bytes:
        """Whatever has arrived, content-decoded; b"" exactly once the body ended as its framing promised.

        Waits while nothing is there. Bounded: at most about 64 KiB are buffered before the upstream feels it.

        Raises:
            CutOff: the body ended early, its framing or its compression is broken.
        """
        ...

    def close(self) -> None:
        """Done. A body read to its end goes back to the pool, any other closes its socket now. Idempotent."""
        ...


class Transport(Protocol):
    async def send(self, request: UpstreamRequest) -> UpstreamReply:
        """Send and wait for the head of the answer (interim 1xx answers are skipped).

        Raises:
            Unreachable, ConnectTimedOut, TlsFailed: nothing was sent.
            ConnectionLost: sent, and no byte of an answer came back.
            Malformed: what came back is not HTTP.
        """
        ...

    async def aclose(self) -> None:
        """Close every pooled connection."""
        ...
