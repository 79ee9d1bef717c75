from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp.client_proto import ResponseHandler

from iflow_cli_proxy.core.errors import ConnectionLost, CutOff, Malformed
from iflow_cli_proxy.transport import faults
from iflow_cli_proxy.transport.lines import RECEIVE_BYTES, Line, LineConnector

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Pair:
    """A line and the far end of its socket."""

    def __init__(self, line: Line, far: socket.socket) -> None:
        self.line = line
        self.far = far

    async def says(self, data: bytes) -> None:
        self.far.send(data)
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    near, far = socket.socketpair()
    near.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, line = await loop.create_connection(lambda: Line(loop), sock=near)
    line.set_response_params(read_until_eof=True, auto_decompress=False)
    yield Pair(line, far)
    far.close()
    transport.abort()
    await asyncio.sleep(0)


async def finish_answer(pair: Pair, raw: bytes, last_piece: bytes, *, is_chunked: bool = False) -> None:
    await pair.says(raw)
    await pair.line.read()
    pair.line.rest(last_piece, is_chunked=is_chunked)


async def test_a_clean_answer_leaves_a_reusable_line(pair: Pair) -> None:
    await finish_answer(pair, WHOLE, b"hello")
    assert not pair.line.should_close
    assert pair.line.is_connected()


async def test_a_piece_of_another_answer_in_the_same_segment_is_noticed(pair: Pair) -> None:
    await finish_answer(pair, WHOLE + b"HTTP/1.1 2", b"hello")
    assert pair.line.should_close


async def test_a_whole_other_answer_in_the_same_segment_is_noticed(pair: Pair) -> None:
    await finish_answer(pair, WHOLE + WHOLE, b"hello")
    assert pair.line.should_close


async def test_a_chunked_answer_must_end_with_its_last_chunk(pair: Pair) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    await finish_answer(pair, chunked, b"hello", is_chunked=True)
    assert not pair.line.should_close


async def test_bytes_that_arrive_at_rest_close_the_line(pair: Pair) -> None:
    await finish_answer(pair, WHOLE, b"hello")
    await pair.says(b"H")
    assert not pair.line.is_connected()


async def test_bytes_the_loop_has_not_read_yet_count_too(pair: Pair) -> None:
    await finish_answer(pair, WHOLE, b"hello")
    pair.far.send(b"H")
    assert not pair.line.is_connected()


async def test_an_end_the_loop_has_not_read_yet_counts_too(pair: Pair) -> None:
    await finish_answer(pair, WHOLE, b"hello")
    pair.far.close()
    assert not pair.line.is_connected()


async def test_silence_before_the_first_answer_is_a_lost_connection(pair: Pair) -> None:
    pair.far.close()
    with pytest.raises(ConnectionLost) as caught:
        await pair.line.read()
    assert not isinstance(caught.value, faults.StaleConnection)


async def test_silence_on_a_used_line_is_a_stale_connection(pair: Pair) -> None:
    await finish_answer(pair, WHOLE, b"hello")
    pair.line.set_response_params(read_until_eof=True, auto_decompress=False)
    pair.far.close()
    with pytest.raises(faults.StaleConnection):
        await pair.line.read()


async def test_half_a_head_is_cut_off(pair: Pair) -> None:
    await pair.says(b"HTTP/1.1 200 OK\r\nX")
    pair.far.close()
    with pytest.raises(CutOff):
        await pair.line.read()


async def test_garbage_is_malformed(pair: Pair) -> None:
    await pair.says(b"\x15\x03\x03\x00\x02\x02\x28")
    with pytest.raises(Malformed):
        await pair.line.read()
    assert pair.line.is_garbled


async def test_endless_interim_answers_are_cut_off(pair: Pair) -> None:
    await pair.says(b"HTTP/1.1 100 Continue\r\n\r\n" * (faults.INTERIM_COUNT + 50))
    for _ in range(faults.INTERIM_COUNT):
        await pair.line.read()
    with pytest.raises(Malformed):
        await pair.line.read()
    assert not pair.line.is_connected()


async def test_a_line_receives_into_a_buffer_that_malloc_keeps(pair: Pair) -> None:
    assert getattr(pair.line.transport, "max_size", RECEIVE_BYTES) == RECEIVE_BYTES


async def test_the_connector_makes_lines_and_can_forget_the_idle_ones() -> None:
    connector = LineConnector(None)
    assert connector.limit == 0
    line = connector._factory()
    assert isinstance(line, Line)
    connector._conns["key"].append((line, 0.0))  # type: ignore[index]
    connector.drop_idle()
    assert not connector._conns
    await connector.close()


def test_aiohttp_still_offers_what_a_line_overrides() -> None:
    for name in ("set_response_params", "data_received", "feed_data", "set_exception", "is_connected", "should_close"):
        assert hasattr(ResponseHandler, name)
