"""Bytes that are no good HTTP, against the real server (RELIABILITY section 3: framing, lines, verbs, targets, paths).

Every case gets exactly one answer in OpenAI's error shape and a closed connection; nothing reaches the upstream and the
next client is served. `INK` stands where a client's secret could: it must come back in no answer and no log line.
"""

from __future__ import annotations

import logging
from typing import Final

import pytest

from tests.support.front_door import GOOD_BODY, FrontDoor, front_door
from tests.support.raw_client import RawAnswer, ask, talk

INK: Final = b"sk-canary-4f2a"
HOST: Final = b"Host: localhost\r\n"
POST: Final = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
CHUNKED: Final = POST + b"Transfer-Encoding: chunked\r\n\r\n"
GET: Final = b"GET /health HTTP/1.1\r\n"
BARE_GET: Final = GET + HOST + b"\r\n"
BAD: Final = 400


def post(headers: bytes, body: bytes = GOOD_BODY) -> bytes:
    return POST + headers + b"\r\n" + body


def get(headers: bytes) -> bytes:
    return GET + HOST + headers + b"\r\n"


def line(text: bytes, headers: bytes = HOST) -> bytes:
    return text + b"\r\n" + headers + b"\r\n"


def chunks(data: bytes) -> bytes:
    return CHUNKED + data


SIZE: Final = b"%x\r\n" % len(GOOD_BODY)
GOOD_CHUNK: Final = SIZE + GOOD_BODY + b"\r\n"

LENGTHS: Final = {
    "twice the same length": post(b"Content-Length: 5\r\nContent-Length: 5\r\n"),
    "two lengths that differ": post(b"Content-Length: 57\r\nContent-Length: 5\r\n"),
    "a list of lengths": post(b"Content-Length: 57, 57\r\n"),
    "a length with a plus": post(b"Content-Length: +57\r\n"),
    "a negative length": post(b"Content-Length: -57\r\n"),
    "a hexadecimal length": post(b"Content-Length: 0x39\r\n"),
    "a length with an underscore": post(b"Content-Length: 5_7\r\n"),
    "a fractional length": post(b"Content-Length: 57.0\r\n"),
    "a length in words": post(b"Content-Length: " + INK + b"\r\n"),
    "a length with a space inside": post(b"Content-Length: 5 7\r\n"),
    "an empty length": post(b"Content-Length: \r\n"),
    "a length beyond 64 bits": post(b"Content-Length: 99999999999999999999999\r\n"),
    "a length of 2^64 - 1, which aiohttp reads as no body": post(b"Content-Length: 18446744073709551615\r\n"),
    "a length in other digits": post(b"Content-Length: \xef\xbc\x95\xef\xbc\x97\r\n"),
    "a length and a coding": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + BARE_GET),
    "a coding and a length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + BARE_GET),
}

CODINGS: Final = {
    f"the coding {coding!r}": post(b"Transfer-Encoding: " + coding + b"\r\n", GOOD_CHUNK + b"0\r\n\r\n")
    for coding in (
        b"identity",
        b"gzip",
        b"xchunked",
        b"chunkedx",
        b"chunked, chunked",
        b"chunked, gzip",
        b"gzip, chunked",
        b"identity, chunked",
        b"chunked, identity",
        b"chunked ,",
        b"chunked;q=1",
        b'"chunked"',
        b"\x0bchunked",
        b"chunked\x0b",
        b"\x00chunked",
        b"ch\xc3\xbcnked",
        b"",
    )
} | {
    "two codings": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n"),
    "twice the same coding": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "a coding with a space before the colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
    "a coding with HTTP/1.0": (
        b"POST /v1/chat/completions HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
        + GOOD_CHUNK
        + b"0\r\n\r\n"
    ),
}

CHUNKS: Final = {
    "a chunk size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "a negative chunk size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk size in words": INK + b"\r\nhello\r\n0\r\n\r\n",
    "no chunk size": b"\r\nhello\r\n0\r\n\r\n",
    "a chunk size with a space behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "a chunk size with a space before": b" 5\r\nhello\r\n0\r\n\r\n",
    "a chunk size of 2^64": b"10000000000000000\r\nhello\r\n0\r\n\r\n",
    "a chunk size of 17 digits": b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "a chunk size that ends in LF": b"5\nhello\r\n0\r\n\r\n",
    "a chunk size that ends in CR": b"5\rhello\r\n0\r\n\r\n",
    "an empty chunk extension": b"5;\r\nhello\r\n0\r\n\r\n",
    "a line feed in a chunk extension": b'5;a="\n"\r\nhello\r\n0\r\n\r\n',
    "a chunk longer than its size": b"5\r\nhello, world\r\n0\r\n\r\n",
    "a chunk without its line end": b"5\r\nhello0\r\n\r\n",
    "a chunk that ends in LF": b"5\r\nhello\n0\r\n\r\n",
    "a trailer with a length": b"0\r\nContent-Length: 5\r\n\r\n",
    "a trailer without a colon": b"0\r\n" + INK + b"\r\n\r\n",
    "a trailer that ends in LF": b"0\r\nX: y\n\r\n",
    "a last chunk that ends in LF": b"0\r\n\n",
}

LINES: Final = {
    "lines that end in LF": b"GET /health HTTP/1.1\nHost: localhost\n\n",
    "one header that ends in LF": GET + b"Host: localhost\nX: y\r\n\r\n",
    "one header that ends in CR": GET + b"Host: localhost\rX: y\r\n\r\n",
    "a folded header": get(b"X: y\r\n z\r\n"),
    "a fold instead of the first header": GET + b" X: y\r\n" + HOST + b"\r\n",
    "a space in a header's name": get(b"X y: z\r\n"),
    "a space before the colon": get(b"X : z\r\n"),
    "no name": get(b": z\r\n"),
    "a control character in a name": get(b"X\x01: z\r\n"),
    "a letter beyond ASCII in a name": get("é: z\r\n".encode()),
    "no colon": get(INK + b"\r\n"),
    "NUL in a value": get(b"Authorization: Bearer " + INK + b"\x00\r\n"),
    "a control character in a value": get(b"X: a\x01b\r\n"),
    "DEL in a value": get(b"X: a\x7fb\r\n"),
    "no Host": GET + b"\r\n",
    "two Hosts": get(HOST),
    "a Host that is a path": GET + b"Host: localhost/x\r\n\r\n",
    "a Host with a user": GET + b"Host: a@localhost\r\n\r\n",
    "a Host with a space": GET + b"Host: local host\r\n\r\n",
    "two Content-Types": post(b"Content-Type: text/html\r\nContent-Length: 57\r\n"),
    "HTTP/0.9 without a version": b"GET /health\r\n\r\n",
    "HTTP/0.9": line(b"GET /health HTTP/0.9"),
    "HTTP/1.2": line(b"GET /health HTTP/1.2"),
    "HTTP/2.0": line(b"GET /health HTTP/2.0"),
    "HTTP/11": line(b"GET /health HTTP/11"),
    "http in lower case": line(b"GET /health http/1.1"),
    "another protocol": line(b"GET /health ICY/1.1"),
    "a space behind the version": line(b"GET /health HTTP/1.1 "),
    "a space before the method": line(b" GET /health HTTP/1.1"),
    "tabs instead of spaces": line(b"GET\t/health\tHTTP/1.1"),
    "an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "every byte there is": bytes(range(256)),
    "an SSH banner": b"SSH-2.0-OpenSSH_9.9\r\n",
    "a method in lower case": line(b"get /health HTTP/1.1"),
    "a method nobody knows": line(b"BREW /pot HTTP/1.1"),
}

TARGETS: Final = {
    "an absolute URI": line(b"GET http://evil.example/health HTTP/1.1"),
    "an absolute URI of ours": line(b"GET http://localhost/health HTTP/1.1"),
    "an https URI": line(b"GET https://evil.example/ HTTP/1.1"),
    "a URI of another kind": line(b"GET ftp://evil.example/ HTTP/1.1"),
    "an authority without CONNECT": line(b"GET evil.example:80 HTTP/1.1"),
    "a path without a slash": line(b"GET health HTTP/1.1"),
    "a backslash first": line(b"GET \\health HTTP/1.1"),
    "a star with GET": line(b"GET * HTTP/1.1"),
    "two slashes and a host": line(b"GET //evil.example/health HTTP/1.1"),
    "a slash, a backslash and a host": line(b"GET /\\evil.example/ HTTP/1.1"),
    "NUL in the path": line(b"GET /a\x00b HTTP/1.1"),
    "bytes beyond ASCII in the path": line(b"GET /\xff\xfe HTTP/1.1"),
    "an encoded NUL": line(b"GET /v1/models/a%00b HTTP/1.1"),
    "an encoded line end": line(b"GET /v1/models/a%0d%0aSet-Cookie:%20x HTTP/1.1"),
    "dots": line(b"GET /v1/../../etc/passwd HTTP/1.1"),
    "dots at the end": line(b"GET /v1/models/.. HTTP/1.1"),
    "encoded dots": line(b"GET /v1/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"),
    "half-encoded dots": line(b"GET /v1/.%2e/etc/passwd HTTP/1.1"),
    "encoded dots and slashes": line(b"GET /v1/models/..%2f..%2fetc%2fpasswd HTTP/1.1"),
    "twice encoded dots": line(b"GET /v1/models/%252e%252e%252fetc HTTP/1.1"),
    "dots encoded without end": line(b"GET /v1/models/%25252525252e HTTP/1.1"),
    "dots and backslashes": line(b"GET /v1/models/..\\..\\etc HTTP/1.1"),
    "encoded backslashes": line(b"GET /v1/models/..%5c..%5cetc HTTP/1.1"),
}

OTHERS: Final = {
    "TRACE": (line(b"TRACE /health HTTP/1.1"), 405),
    "CONNECT": (line(b"CONNECT evil.example:443 HTTP/1.1", b"Host: evil.example:443\r\n") + BARE_GET, 405),
    "CONNECT to a path": (line(b"CONNECT / HTTP/1.1"), 405),
    "an expectation nobody can meet": (get(b"Expect: 418-teapot\r\n"), 417),
    "a header of 64 KB": (get(b"X: " + b"a" * 65_536 + b"\r\n"), 431),
    "a header name of 64 KB": (get(b"a" * 65_536 + b": x\r\n"), 431),
    "10,000 headers": (get(b"X: y\r\n" * 10_000), 431),
    "100 headers that fill 128 KB": (get(b"X: " + b"a" * 1300 + b"\r\n" + (b"Y: " + b"a" * 1300 + b"\r\n") * 98), 431),
    "a target of 20 KB": (line(b"GET /" + b"a" * 20_000 + b" HTTP/1.1"), 414),
    "a query of 20 KB": (line(b"GET /health?" + b"a" * 20_000 + b" HTTP/1.1"), 414),
    "5,000 trailers": (chunks(GOOD_CHUNK + b"0\r\n" + b"X: y\r\n" * 5_000 + b"\r\n"), 431),
    "a trailer of 20 KB": (chunks(GOOD_CHUNK + b"0\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"), 431),
}


TABLES: Final = (LENGTHS, CODINGS, LINES, TARGETS)


def assert_refused(answers: list[RawAnswer], status: int) -> None:
    assert [answer.status for answer in answers] == [status]
    (answer,) = answers
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-request-id"].startswith("req_")
    assert set(answer.json["error"]) == {"message", "type", "param", "code"}
    assert INK not in answer.body
    assert b"canary" not in answer.body
    assert "location" not in answer.headers


async def assert_unharmed(door: FrontDoor, log: pytest.LogCaptureFixture) -> None:
    assert door.served == 0
    assert await door.is_well()
    assert "canary" not in log.text
    assert not [record for record in log.records if record.exc_info or record.levelno > logging.DEBUG]


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        *(pytest.param(data, BAD, id=name) for table in TABLES for name, data in table.items()),
        *(pytest.param(data, status, id=name) for name, (data, status) in OTHERS.items()),
    ],
)
async def test_bytes_that_are_no_request_are_refused_once(
    data: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with front_door() as door:
        assert_refused(await talk(door.port, data), status)
        await assert_unharmed(door, caplog)


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in CHUNKS.items()])
@pytest.mark.parametrize("is_late", [False, True], ids=["in one packet", "after a good chunk"])
async def test_broken_chunks_are_refused_once(body: bytes, is_late: bool, caplog: pytest.LogCaptureFixture) -> None:
    packets = (CHUNKED + SIZE + GOOD_BODY, b"\r\n" + body) if is_late else (CHUNKED + body,)
    async with front_door() as door:
        assert_refused(await talk(door.port, *packets), BAD)
        await assert_unharmed(door, caplog)


# --- more than one request on a connection ------------------------------------------------------------------------


async def test_pipelined_requests_are_answered_in_order() -> None:
    last = line(b"GET /nothing HTTP/1.1", HOST + b"Connection: close\r\n")
    async with front_door() as door:
        answers = await talk(door.port, BARE_GET + post(b"Content-Length: 57\r\n") + BARE_GET + last)

        assert [answer.status for answer in answers] == [200, 200, 200, 404]
        assert answers[1].json["choices"][0]["message"]["content"] == "hello"


async def test_garbage_behind_a_request_being_served_waits_for_its_turn() -> None:
    async with front_door() as door:
        answers = await talk(door.port, post(b"Content-Length: 57\r\n"), INK + b"\r\n\r\n", INK)

        assert [answer.status for answer in answers] == [200, BAD]


async def test_what_follows_an_upgrade_that_was_not_taken_is_not_believed() -> None:
    """aiohttp forgets the head of a second request and would take its body for a third one."""
    offer = get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n")
    hidden = line(b"GET /hidden HTTP/1.1")
    async with front_door() as door:
        answers = await talk(door.port, offer + post(b"Content-Length: %d\r\n" % len(hidden), b""), hidden)

        assert [answer.status for answer in answers] == [200]


async def test_a_body_with_an_upgrade_that_was_not_taken_is_served() -> None:
    async with front_door() as door:
        answers = await talk(door.port, post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 57\r\n"))

        assert [answer.status for answer in answers] == [200]
        assert door.served == 1


# --- odd, and fine ------------------------------------------------------------------------------------------------

FINE: Final = {
    "a body in chunks": (CHUNKED + GOOD_CHUNK + b"0\r\n\r\n", 200),
    "chunks with extensions and trailers": (
        CHUNKED + SIZE[:-2] + b";a=b\r\n" + GOOD_BODY + b"\r\n0\r\nX: y\r\n\r\n",
        200,
    ),
    "chunked in capitals": (post(b"Transfer-Encoding: Chunked\r\n", GOOD_CHUNK + b"0\r\n\r\n"), 200),
    "empty lines first": (b"\r\n\r\n" + BARE_GET, 200),
    "a query with everything in it": (line(b"GET /health?a=/../%00//b\\ HTTP/1.1"), 200),
    "a Host with a port": (GET + b"Host: 127.0.0.1:28000\r\n\r\n", 200),
    "an IPv6 Host": (GET + b"Host: [::1]:28000\r\n\r\n", 200),
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\n\r\n", 200),
    "a star": (line(b"OPTIONS * HTTP/1.1"), 404),
    "a model with an encoded slash": (line(b"GET /v1/models/org%2Fname..v2 HTTP/1.1"), 404),
    "a method with no route": (line(b"PROPFIND /health HTTP/1.1"), 405),
}


@pytest.mark.parametrize(("data", "status"), [pytest.param(*case, id=name) for name, case in FINE.items()])
async def test_odd_requests_that_are_valid_are_answered(data: bytes, status: int) -> None:
    async with front_door() as door:
        answer = await ask(door.port, data)

        assert answer.status == status
        assert answer.headers["content-type"].startswith("application/json")
