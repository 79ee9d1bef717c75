"""Content codings undone piece by piece, so that a bomb never stands in memory.

Knows gzip, zlib and raw deflate, and a gzip body whose header forgot to say so. Refuses to know sockets, and codings
we never ask for. Whoever reads sums up the pieces and decides how much is too much.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from iflow_cli_proxy.core.errors import CutOff

PIECE_BYTES: Final = 65_536
GZIP_MAGIC: Final = b"\x1f\x8b"

_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_KNOWN: Final = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


def coding_of(content_encoding: str) -> str:
    """`""` for a body that needs no decoding, else `gzip`, `deflate`, or the name of a coding we cannot undo."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in names if name and name != "identity"]
    if not names:
        return ""
    return _KNOWN.get(names[0], names[0]) if len(names) == 1 else ", ".join(names)


def looks_gzipped(start: bytes) -> bool:
    """True for the first bytes of a gzip body; one byte alone is enough to suspect it.

    2026-02: iFlow sends gzip without `content-encoding`. Neither JSON nor SSE can begin with 0x1f.
    """
    return start[:2] == GZIP_MAGIC or start == GZIP_MAGIC[:1]


class Decoder:
    """Undoes one coding over the chunks of one body. `read` pulls; nothing is decoded ahead of it."""

    __slots__ = ("_coding", "_inflater", "_is_full", "_pending", "_source")

    def __init__(self, coding: str, source: Callable[[], Awaitable[bytes]], start: bytes = b"") -> None:
        """`source` gives encoded chunks and b"" at the end; `start` is what was read from it before."""
        self._coding = coding
        self._source = source
        self._pending = start
        self._inflater: zlib._Decompress | None = None
        self._is_full = False

    async def read(self) -> bytes:
        """At most 64 KiB of the decoded body; b"" at its end.

        Raises:
            CutOff: the compressed data is damaged, stops short, or is in a coding we never asked for.
        """
        while True:
            piece = self._inflate()
            if piece:
                return piece
            chunk = await self._source()
            if not chunk:
                return self._end()
            self._pending += chunk

    def _inflate(self) -> bytes:
        if not self._pending and not self._is_full:
            return b""
        inflater = self._inflater or self._begin()
        if inflater is None:
            return b""
        try:
            piece = inflater.decompress(self._pending, PIECE_BYTES)
        except zlib.error as error:
            raise _broken("is damaged") from error
        self._is_full = len(piece) == PIECE_BYTES
        self._pending = inflater.unconsumed_tail
        if inflater.eof:
            self._is_full = False
            self._pending = inflater.unused_data
            # RFC 1952 allows several gzip members in a row; the next one needs a fresh inflater.
            self._inflater = None if self._pending and self._coding == "gzip" else inflater
            if self._pending and not looks_gzipped(self._pending):
                raise _broken("is followed by other data")
        return piece

    def _begin(self) -> zlib._Decompress | None:
        """The inflater the first two bytes call for; None until there are two."""
        if self._coding not in ("gzip", "deflate"):
            raise _broken("uses a coding that was not asked for")
        if len(self._pending) < 2:
            return None
        if self._coding == "gzip":
            bits = _GZIP
        else:
            # "deflate" means zlib (RFC 9110), and some servers send raw deflate anyway.
            is_zlib = self._pending[0] & 0x0F == 8 and int.from_bytes(self._pending[:2]) % 31 == 0
            bits = _ZLIB if is_zlib else _RAW
        self._inflater = zlib.decompressobj(bits)
        return self._inflater

    def _end(self) -> bytes:
        if self._pending or (self._inflater is not None and not self._inflater.eof):
            raise _broken("stops short")
        return b""


class DecodingReply(ABC):
    """The reading half of a reply, the same for every transport. An uncoded body costs one flag per chunk."""

    __slots__ = ("_decoder", "_is_first")

    def __init__(self) -> None:
        self._decoder: Decoder | None = None
        self._is_first = True

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """Lower-case names; of a repeated header the first value."""

    @abstractmethod
    async def _read_wire(self) -> bytes:
        """The body as it came, b"" at its end; raises CutOff."""

    async def read(self) -> bytes:
        """What has arrived, decoded; b"" at the end of the body; raises CutOff."""
        if self._decoder is not None:
            return await self._decoder.read()
        if self._is_first:
            return await self._read_first()
        return await self._read_wire()

    async def _read_first(self) -> bytes:
        """Decides, once, whether this body has to be decoded."""
        coding = coding_of(self.headers.get("content-encoding", ""))
        piece = await self._read_wire()
        self._is_first = False
        if piece and (coding or looks_gzipped(piece)):
            self._decoder = Decoder(coding or "gzip", self._read_wire, piece)
            return await self._decoder.read()
        return piece


def _broken(how: str) -> CutOff:
    return CutOff(f"The compressed answer of the upstream {how}.")
