"""Whether a host exists, takes connections and shows a good certificate: one look, and what it saw.

Knows names, sockets and TLS. Refuses to know whose host it is and what follows (`gone.py`). Certificates are verified
as always; nothing is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from iflow_cli_proxy.transport.lookup import Lookups
from iflow_cli_proxy.transport.trust import reason_of, tls_context

LIMIT_S: Final = 10.0

Resolve: TypeAlias = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""The addresses of a host. Raises OSError when it has none."""
Connect: TypeAlias = Callable[[str, int, str, ssl.SSLContext | None], Awaitable[float | None]]
"""Connects to an address and port, with TLS for a name unless there is no context; when the certificate ends (epoch
seconds), None without TLS. Raises OSError."""


class Trouble(StrEnum):
    NO_NAME = "no_name"
    """The name has no address."""
    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    CERTIFICATE = "certificate"
    """It is for another name, has expired, or nobody we trust has signed it."""
    TLS = "tls"
    """There was no handshake."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A host to look at."""

    host: str
    port: int
    is_tls: bool

    @property
    def name(self) -> str:
        return self.host if self.port == (443 if self.is_tls else 80) else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen of it."""

    target: Target
    trouble: Trouble | None = None
    detail: str = ""
    """In words: why a certificate was not taken, or what the system says."""
    certificate_ends_at: float | None = None


def target_of(url: str) -> Target:
    parts = urlsplit(url)
    is_tls = parts.scheme != "http"
    return Target(host=parts.hostname or "", port=parts.port or (443 if is_tls else 80), is_tls=is_tls)


async def look_at(
    target: Target, resolve: Resolve, connect: Connect, *, ca_file: str = "", limit_s: float = LIMIT_S
) -> Look:
    """Look once, within `limit_s`. Raises ConfigError when the bundle of authorities cannot be used."""
    context = (tls_context(ca_file) if ca_file else ssl.create_default_context()) if target.is_tls else None
    try:
        async with asyncio.timeout(limit_s):
            try:
                addresses = await resolve(target.host, target.port)
            except (OSError, UnicodeError) as error:
                return Look(target=target, trouble=Trouble.NO_NAME, detail=_said(error))
            return await _knock(target, addresses, connect, context)
    except TimeoutError:
        return Look(target=target, trouble=Trouble.TIMED_OUT, detail=f"no answer within {limit_s:g} s")


async def _knock(target: Target, addresses: tuple[str, ...], connect: Connect, context: ssl.SSLContext | None) -> Look:
    """At each address until one opens; the last refusal is what is told."""
    refused = Look(target=target, trouble=Trouble.NO_NAME, detail="no address")
    for address in addresses:
        try:
            ends_at = await connect(address, target.port, target.host, context)
        except ssl.SSLCertVerificationError as error:
            return Look(target=target, trouble=Trouble.CERTIFICATE, detail=reason_of(error))
        except ssl.SSLError as error:
            return Look(target=target, trouble=Trouble.TLS, detail=reason_of(error))
        except TimeoutError:
            raise
        except OSError as error:
            is_handshake = context is not None and isinstance(error, ConnectionResetError)
            trouble = Trouble.TLS if is_handshake else Trouble.REFUSED
            refused = Look(target=target, trouble=trouble, detail=_said(error))
        else:
            return Look(target=target, certificate_ends_at=ends_at)
    return refused


async def by_system(host: str, port: int) -> tuple[str, ...]:
    """As every other program of this machine resolves names."""
    found = await Lookups().resolve(host, port, socket.AF_UNSPEC)
    return tuple(dict.fromkeys(each["host"] for each in found))


async def by_socket(address: str, port: int, name: str, context: ssl.SSLContext | None) -> float | None:
    _, writer = await asyncio.open_connection(
        address, port, ssl=context, server_hostname=name if context is not None else None
    )
    try:
        certificate = writer.get_extra_info("peercert") or {}
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    ends = certificate.get("notAfter")
    return ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None


async def listens(connect: Connect, host: str, port: int, *, limit_s: float = 1.0) -> bool:
    """Whether anything takes connections there."""
    try:
        async with asyncio.timeout(limit_s):
            await connect(host, port, host, None)
    except (OSError, UnicodeError):
        return False
    return True


def _said(error: Exception) -> str:
    return (getattr(error, "strerror", "") or type(error).__name__).rstrip(".")
