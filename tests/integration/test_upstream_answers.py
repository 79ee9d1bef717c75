"""Rows F10 to F32, F39 and F45: heads and bodies that are cut, lie, flood, or are no answer at all."""

from __future__ import annotations

import asyncio
import gzip
import random
import zlib
from collections.abc import Awaitable, Callable

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.faults import CANARY, GOOD, GOOD_STREAM, STOP, TEXT, facing, piece, whole
from tests.support.raw_upstream import (
    LAST_CHUNK,
    Connection,
    RawUpstream,
    Script,
    answer,
    close,
    event,
    flood,
    half_close,
    hang,
    head,
    reset,
    sleep,
    stream_head,
)
from tests.support.transports import MB, rss_bytes

End = Callable[[Connection], Awaitable[None]]
BOTH_ENDS = pytest.mark.parametrize("end", [close, reset], ids=["fin", "rst"])
STREAM_OR_NOT = pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])


@BOTH_ENDS
@STREAM_OR_NOT
async def test_f10_a_cut_head_is_never_asked_for_again(kind: str, end: End, stream: bool) -> None:
    async with facing(kind, [b"HTTP/1.1 200 OK\r\nContent-Type: appl", sleep(0.02), end]) as it:
        heard = await it.expect_refused(502, "upstream_cut", attempts=1, stream=stream)
        assert it.hits == 1
    assert heard.headers["x-should-retry"] == "false"


@BOTH_ENDS
async def test_f11_no_part_of_a_cut_body_is_passed_on(kind: str, end: End) -> None:
    async with facing(kind, [GOOD[:-20], sleep(0.02), end]) as it:
        heard = await it.expect_refused(502, "upstream_cut", attempts=1)
        assert it.hits == 1
        assert it.gateway.exchanges[-1].usage is None
    assert TEXT[:5] not in heard.body.decode()


async def test_f11_a_body_that_ends_early_within_its_framing_is_cut_too(kind: str) -> None:
    async with facing(kind, [answer(whole()[:-20])]) as it:
        await it.expect_refused(502, "upstream_cut", attempts=1)


async def test_f12_no_head_ever_ends_at_the_first_byte_limit(kind: str) -> None:
    async with facing(kind, [hang], more="first_byte_timeout_s = 0.3") as it:
        heard = await it.expect_refused(504, "upstream_timeout", attempts=1)
        assert await it.has_hung_up()
        assert it.hits == 1
    assert 0.25 < heard.took_s < 0.9
    assert heard.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("start", [b"", whole()[:30]], ids=["at-once", "half-way"])
async def test_f13_a_stalled_body_ends_at_its_limit(kind: str, start: bytes) -> None:
    script: Script = [head(200, {"Content-Length": "300", "Content-Type": "application/json"}), start, hang]
    async with facing(kind, script, more="first_byte_timeout_s = 0.3\nidle_timeout_s = 0.3") as it:
        await it.expect_refused(504, "upstream_timeout", attempts=1)
        assert await it.has_hung_up()


@STREAM_OR_NOT
async def test_f19_a_head_that_never_ends_ends_at_the_first_byte_limit(kind: str, stream: bool) -> None:
    async def drip(connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(200):
            await connection.send(b"x")
            await asyncio.sleep(0.02)

    async with facing(kind, [drip], more="first_byte_timeout_s = 0.3\nidle_timeout_s = 0.1") as it:
        heard = await it.expect_refused(504, "upstream_timeout", attempts=1, stream=stream)
        assert await it.has_hung_up()
    assert heard.took_s < 0.9


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02garbage\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"<html>hello, this is HTTP/0.9</html>",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 999 Weird\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["binary", "tls-alert", "http-0.9", "status-word", "status-999"],
)
async def test_f22_what_is_no_http_is_an_upstream_failure(kind: str, garbage: bytes) -> None:
    async with facing(kind, [garbage, sleep(0.02), close], [GOOD]) as it:
        await it.expect_refused(502, "upstream_malformed", attempts=1)
        await it.expect_answered()
        assert len(it.upstream.connections) == 2


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: -5",
        "Content-Length: 5\r\nContent-Length: 7",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: five",
    ],
)
@STREAM_OR_NOT
async def test_f23_contradictory_lengths_end_the_connection(kind: str, lines: str, stream: bool) -> None:
    raw = f"HTTP/1.1 200 OK\r\n{lines}\r\n\r\n".encode() + b"5\r\nhello\r\n0\r\n\r\n"
    async with facing(kind, [raw], [GOOD]) as it:
        await it.expect_refused(502, "upstream_malformed", attempts=1, stream=stream)
        await it.expect_answered()
        assert len(it.upstream.connections) == 2


async def test_f23_a_body_longer_than_its_length_ends_the_connection(kind: str) -> None:
    async with facing(kind, [GOOD, sleep(0.02), b"EXCESS"], [GOOD]) as it:
        await it.expect_answered()
        await asyncio.sleep(0.06)
        await it.expect_answered()
        assert len(it.upstream.connections) == 2


async def test_f24_in_200_mixed_requests_nobody_gets_another_ones_answer(kind: str) -> None:
    """Every fourth answer is followed by one that nobody asked for; each answer repeats its request's own word."""
    rng = random.Random(24)
    stolen = answer(whole("STOLEN"))

    async def reply(connection: Connection) -> None:
        asked = jsonx.decode(connection.requests[-1].body)
        word = asked["messages"][0]["content"]
        if asked.get("stream"):
            await connection.send(stream_head() + b"".join(map(event, (piece(word), STOP, "[DONE]"))) + LAST_CHUNK)
        else:
            await connection.send(answer(whole(word)))
        if int(word.removeprefix("word-")) % 4 == 0:
            await asyncio.sleep(rng.choice((0.0, 0.002)))
            await connection.send(stolen)

    async with facing(kind, [reply]) as it:

        async def one(number: int) -> bool:
            word = f"word-{number}"
            stream = number % 3 == 0
            heard = await it.ask(stream=stream, messages=[{"role": "user", "content": word}])
            assert b"STOLEN" not in heard.body
            assert heard.status != 200 or heard.text == word
            return heard.status == 200

        good = 0
        for start in range(0, 200, 10):
            good += sum(await asyncio.gather(*map(one, range(start, start + 10))))
        assert good >= 190


@pytest.mark.parametrize(
    "broken",
    [b"zz\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n", b"10000000000000000\r\nhello", b"5\r\nhelloXX0\r\n\r\n"],
    ids=["not-hex", "negative", "2^64", "no-line-end"],
)
async def test_f25_broken_chunks_are_an_upstream_failure(kind: str, broken: bytes) -> None:
    async with facing(kind, [stream_head({"Content-Type": "application/json"}), broken, hang], [GOOD]) as it:
        heard = await it.ask()
        assert heard.status == 502
        assert heard.error["code"] in ("upstream_cut", "upstream_malformed")
        assert await it.has_hung_up()
        await it.expect_answered()


@pytest.mark.parametrize(
    "attack",
    [
        [b"HTTP/1.1 200 OK\r\n", flood(b"X-Filler: " + b"f" * 1000 + b"\r\n", 32_000)],
        [b"HTTP/1.1 200 OK\r\nX-Huge: ", flood(b"h" * 65536, 16), b"\r\nContent-Length: 0\r\n\r\n", hang],
        [flood(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, 100), GOOD],
        [b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", b"\x81\x02hi", hang],
    ],
    ids=["32-mb-of-headers", "1-mb-header", "continue-flood", "101"],
)
async def test_f26_a_flood_in_the_head_costs_no_memory(kind: str, attack: Script) -> None:
    async with facing(kind, attack) as it:
        before = rss_bytes()
        heard = await it.ask()
        assert heard.status == 502
        assert heard.error["code"] in ("upstream_malformed", "upstream_cut")
        assert rss_bytes() - before < 20 * MB
        assert await it.has_hung_up()
        assert len(it.gateway.exchanges[-1].attempts) == 1


ALLOWED = {
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "retry-after",
    "server",
    "x-request-id",
}


@pytest.mark.parametrize("status", [200, 400])
async def test_f27_only_headers_on_the_list_pass(kind: str, status: int) -> None:
    odd = {
        "Set-Cookie": f"sid={CANARY}",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "Keep-Alive": "timeout=5",
        "Server": f"secret/{CANARY}",
        "X-Internal-Host": "10.0.0.7",
        "Location": "http://127.0.0.1:1/",
        "X-RateLimit-Remaining-Requests": "7",
        "Content-Disposition": "attachment",
    }
    async with facing(kind, [answer(whole(), status, odd)]) as it:
        heard = await it.ask()
    extra = {name for name in heard.headers if not name.startswith("x-iflow2api-")} - ALLOWED
    assert extra == ({"x-ratelimit-remaining-requests"} if status == 200 else set())
    assert CANARY not in repr(heard.headers)


@pytest.mark.parametrize("value", [b"a\rb", b"a\x00b"], ids=["bare-cr", "nul"])
async def test_f27_control_characters_in_a_header_do_not_pass(kind: str, value: bytes) -> None:
    raw = GOOD.replace(b"Content-Type", b"X-RateLimit-Odd: " + value + b"\r\nContent-Type", 1)
    async with facing(kind, [raw]) as it:
        heard = await it.ask()
    assert heard.status in (200, 502)
    assert "x-ratelimit-odd" not in heard.headers


@pytest.mark.parametrize(
    "script",
    [
        [b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", whole()[:9], sleep(0.02), whole()[9:], close],
        [b"HTTP/1.1 200 OK\r\n\r\n", whole(), half_close, hang],
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + GOOD],
        [answer(gzip.compress(whole()), headers={"Content-Encoding": "gzip"})],
        [answer(gzip.compress(whole()))],
        [answer(b"\xef\xbb\xbf\n" + whole())],
        [head(201, {"Content-Length": str(len(whole()))}) + whole()],
    ],
    ids=["http-1.0", "half-close", "interim", "gzip", "gzip-untold", "bom", "status-201"],
)
@STREAM_OR_NOT
async def test_f28_odd_but_lawful_answers_are_answers(kind: str, script: Script, stream: bool) -> None:
    async with facing(kind, script) as it:
        await it.expect_answered(attempts=1, stream=stream)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """512 MB of blanks after a brace."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(b"{"), *(packer.compress(b" " * MB) for _ in range(512)), packer.flush()])


@STREAM_OR_NOT
async def test_f29_a_gzip_bomb_is_left_at_the_cap(kind: str, stream: bool, bomb: bytes) -> None:
    async with facing(kind, [answer(bomb, headers={"Content-Encoding": "gzip"})]) as it:
        before = rss_bytes()
        await it.expect_refused(502, "upstream_malformed", attempts=1, stream=stream)
        assert rss_bytes() - before < 100 * MB
        assert await it.has_hung_up()


@pytest.mark.parametrize("damage", ["cut", "flip", "brotli"])
async def test_f30_damaged_compression_is_an_upstream_failure(kind: str, damage: str) -> None:
    packed = gzip.compress(whole("word " * 500), mtime=0)
    flipped = packed[:30] + bytes([packed[30] ^ 0xFF]) + packed[31:]
    body = {"cut": packed[:-20], "flip": flipped, "brotli": b"\x0b\x02\x80hello\x03"}[damage]
    coding = "br" if damage == "brotli" else "gzip"
    async with facing(kind, [answer(body, headers={"Content-Encoding": coding})]) as it:
        await it.expect_refused(502, "upstream_cut", attempts=1)


async def test_f31_what_is_no_utf8_never_reaches_a_client(kind: str) -> None:
    damaged = whole().replace("ö".encode(), b"\xff")
    async with facing(kind, [answer(damaged)]) as it:
        await it.expect_refused(502, "upstream_malformed", attempts=1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@STREAM_OR_NOT
async def test_f32_a_redirect_is_not_followed(kind: str, status: int, stream: bool) -> None:
    async with RawUpstream([GOOD]) as elsewhere:
        headers = {"Location": f"{elsewhere.url}/?{CANARY}"}
        async with facing(kind, [answer(b"", status, headers)]) as it:
            heard = await it.expect_refused(502, "upstream_malformed", attempts=1, stream=stream)
            assert it.hits == 1
        assert elsewhere.connections == []
    assert "location" not in heard.headers


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html><body>Welcome to nginx at 127.0.0.1:8080</body></html>", "upstream_malformed"),
        (b"null", "upstream_malformed"),
        (b"[]", "upstream_malformed"),
        (b"hello", "upstream_malformed"),
        (b'{"id":"1","object":"chat.completion"}', "upstream_malformed"),
        (b'{"choices":[]}', "upstream_malformed"),
        (b"[" * 100_000, "upstream_malformed"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "upstream_malformed"),
        (whole()[:-1] + b',"x":[' + b"[]," * 400_000 + b"0]}", "upstream_malformed"),
        (whole()[:-1] + b',"x":NaN}', "upstream_malformed"),
        (whole()[:-1] + b',"x":' + b"9" * 6000 + b"}", "upstream_malformed"),
        (b'{"error":{"message":"at http://127.0.0.1:9/ in /srv/app.py","code":"x"}}', None),
        (b'{"status":"500","msg":"at 127.0.0.1:9"}', None),
    ],
    ids=lambda value: value[:12].decode() if isinstance(value, bytes) else None,
)
@STREAM_OR_NOT
async def test_f39_a_200_that_is_no_answer_is_a_failure(kind: str, body: bytes, code: str | None, stream: bool) -> None:
    async with facing(kind, [answer(body)]) as it:
        heard = await it.ask(stream=stream)
        assert heard.status in (502, 503, 504), heard.body[:200]
        assert set(heard.error) == {"message", "type", "param", "code"}
        assert code is None or heard.error["code"] in (code, "upstream_cut")
        assert code is None or it.hits == 1


@pytest.mark.parametrize("empty", [answer(b""), head(204)], ids=["200", "204"])
@STREAM_OR_NOT
async def test_f39_an_empty_answer_is_asked_for_once_more(kind: str, empty: bytes, stream: bool) -> None:
    async with facing(kind, [empty], [GOOD_STREAM if stream else GOOD]) as it:
        await it.expect_answered(attempts=2, stream=stream)
    async with facing(kind, [empty]) as it:
        await it.expect_refused(502, "upstream_empty", attempts=2, stream=stream)
        assert it.hits == 2


async def test_f45_a_refusal_before_the_body_was_read_is_passed_on(kind: str) -> None:
    words = b'{"error":{"message":"too big","type":"invalid_request_error"}}'
    early: Script = [sleep(0.01), answer(words, 413, {"Connection": "close"}), hang]
    async with facing(kind, [], on_connect=early, server="max_body_bytes = 20000000") as it:
        await it.expect_refused(413, None, attempts=1, messages=[{"role": "user", "content": "x" * (6 * MB)}])


async def test_f45_a_body_nobody_reads_ends_at_the_first_byte_limit(kind: str) -> None:
    async def stop_reading(connection: Connection) -> None:
        connection.transport.pause_reading()
        await asyncio.sleep(2)

    async with facing(kind, [], on_connect=[stop_reading], more="first_byte_timeout_s = 0.4") as it:
        heard = await it.expect_refused(
            504, "upstream_timeout", attempts=1, messages=[{"role": "user", "content": "x" * (8 * MB)}]
        )
    assert heard.took_s < 1.5
