from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Mapping

import pytest

from iflow_cli_proxy.core.errors import CutOff
from iflow_cli_proxy.transport.decoding import PIECE_BYTES, Decoder, DecodingReply, coding_of, looks_gzipped

TEXT = b"".join(b"line %d of some text\n" % n for n in range(20_000))


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


class Pieces(DecodingReply):
    """A reply whose wire is a list of chunks."""

    def __init__(self, chunks: list[bytes], headers: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._chunks = list(chunks)
        self._given = headers or {}
        self.reads = 0

    @property
    def headers(self) -> Mapping[str, str]:
        return self._given

    async def _read_wire(self) -> bytes:
        self.reads += 1
        return self._chunks.pop(0) if self._chunks else b""


async def decoded(chunks: list[bytes], coding: str) -> bytes:
    reply = Pieces(chunks, {"content-encoding": coding} if coding else {})
    pieces = []
    while piece := await reply.read():
        assert len(piece) <= PIECE_BYTES or not coding
        pieces.append(piece)
    return b"".join(pieces)


def split(data: bytes, seed: int) -> list[bytes]:
    """The data in random chunks, many of them tiny."""
    dice = random.Random(seed)
    chunks = []
    while data:
        size = dice.choice([1, 2, 3, 100, 5_000, 100_000])
        chunks.append(data[:size])
        data = data[size:]
    return chunks


CODINGS = [
    pytest.param("gzip", gzip.compress, id="gzip"),
    pytest.param("x-gzip", gzip.compress, id="x-gzip"),
    pytest.param("deflate", zlib.compress, id="zlib"),
    pytest.param("deflate", raw_deflate, id="raw-deflate"),
    pytest.param("", gzip.compress, id="gzip-without-a-header"),
    pytest.param("gzip", lambda data: gzip.compress(data[:999]) + gzip.compress(data[999:]), id="two-gzip-members"),
]


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
@pytest.mark.parametrize("seed", range(5))
async def test_any_split_of_the_bytes_decodes_to_the_same_text(coding: str, pack, seed: int) -> None:  # type: ignore[no-untyped-def]
    assert await decoded(split(pack(TEXT), seed), coding) == TEXT


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
@pytest.mark.parametrize("missing", [1, 4, 9, 1000])
async def test_every_cut_is_noticed(coding: str, pack, missing: int) -> None:  # type: ignore[no-untyped-def]
    packed = pack(TEXT)
    with pytest.raises(CutOff, match="stops short"):
        await decoded([packed[:-missing]], coding)


async def test_a_compressed_event_is_readable_as_soon_as_it_was_flushed() -> None:
    packer = zlib.compressobj(wbits=31)
    first = packer.compress(b"data: one\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    reply = Pieces([first, packer.compress(b"data: two\n\n") + packer.flush()], {"content-encoding": "gzip"})
    assert await reply.read() == b"data: one\n\n"
    assert reply.reads == 1
    assert await reply.read() == b"data: two\n\n"
    assert await reply.read() == b""
    assert await reply.read() == b""


async def test_a_flipped_byte_is_damage() -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[200] ^= 0xFF
    with pytest.raises(CutOff):
        await decoded([bytes(packed)], "gzip")


async def test_a_wrong_checksum_is_damage() -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[-6] ^= 0xFF
    with pytest.raises(CutOff, match="damaged"):
        await decoded([bytes(packed)], "gzip")


@pytest.mark.parametrize("tail", [b"\0\0\0\0", b"<html>", b"\x1f\x8b"])
async def test_data_after_the_compressed_end_is_refused(tail: bytes) -> None:
    with pytest.raises(CutOff):
        await decoded([gzip.compress(TEXT) + tail], "gzip")


async def test_text_that_claims_to_be_gzip_is_damage() -> None:
    with pytest.raises(CutOff, match="damaged"):
        await decoded([b'{"plain": "text"}'], "gzip")


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "aws-chunked"])
async def test_a_coding_nobody_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(CutOff, match="not asked for"):
        await decoded([b"whatever"], coding)


@pytest.mark.parametrize("coding", ["gzip", "br", ""])
async def test_an_empty_body_has_nothing_to_decode(coding: str) -> None:
    assert await decoded([], coding) == b""


async def test_an_uncoded_body_is_handed_on_untouched() -> None:
    chunks = [b'{"a":', b"\x1f\x8b", b"}"]
    reply = Pieces(chunks)
    seen = [await reply.read() for _ in chunks]
    assert all(got is given for got, given in zip(seen, chunks, strict=True))


async def test_a_bomb_stays_small_in_memory() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(packer.compress(bytes(1_000_000)) for _ in range(50)), packer.flush()])
    left = [bomb]

    async def source() -> bytes:
        return left.pop() if left else b""

    decoder = Decoder("gzip", source)
    total = 0
    while piece := await decoder.read():
        assert len(piece) <= PIECE_BYTES
        total += len(piece)
    assert total == 50_000_000


@pytest.mark.parametrize(
    ("value", "coding"),
    [
        ("", ""),
        ("identity", ""),
        ("GZIP", "gzip"),
        (" x-gzip ", "gzip"),
        ("identity, deflate", "deflate"),
        ("br", "br"),
    ],
)
def test_codings_are_recognised(value: str, coding: str) -> None:
    assert coding_of(value) == coding


@pytest.mark.parametrize(
    ("start", "is_gzip"), [(b"\x1f\x8b\x08", True), (b"\x1f", True), (b"\x1fa", False), (b"{", False), (b"", False)]
)
def test_gzip_is_recognised_by_its_first_bytes(start: bytes, is_gzip: bool) -> None:
    assert looks_gzipped(start) is is_gzip
