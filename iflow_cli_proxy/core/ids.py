"""Makers of identifiers. Entropy is handed over, so a test may know what comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Entropy: TypeAlias = Callable[[int], bytes]
"""`os.urandom`, or something a test can foresee: a number of bytes in, that many bytes out."""


def buffered(entropy: Entropy, size: int = 4096) -> Entropy:
    """The same entropy, asked for in larger helpings: a system call for each id would cost more than the id.

    Not for keys, and not for a process that forks.
    """
    store = b""

    def take(count: int) -> bytes:
        nonlocal store
        if len(store) < count:
            store = entropy(max(size, count))
        taken, store = store[:count], store[count:]
        return taken

    return take


def request_id(entropy: Entropy) -> str:
    """`req_` and 24 hex digits: names one exchange in the log, the ledger and the client's headers."""
    return "req_" + entropy(12).hex()


def answer_id(entropy: Entropy) -> str:
    """32 hex digits: what an answer may be asked for by, so nobody may guess it or choose it."""
    return entropy(16).hex()


def completion_id(exchange: str) -> str:
    """An id in OpenAI's style, for answers whose upstream gave none: the exchange's own, in other clothes."""
    return "chatcmpl-" + exchange.removeprefix("req_")


def uuid4(entropy: Entropy) -> str:
    """A random UUID (RFC 9562, version 4)."""
    raw = bytearray(entropy(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
