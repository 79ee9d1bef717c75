"""Rows F12 to F21 and F40 to F44: streams that stall, break off, lie about their kind, or never come to the point."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

import aiohttp
import pytest

from iflow_cli_proxy.server.background import Supervisor
from tests.support.chat_stream import request
from tests.support.faults import GOOD_EVENTS, GOOD_STREAM, ROLE, STOP, TEXT, Facing, facing, piece, whole
from tests.support.gateway import chat_body
from tests.support.raw_client import RawClient
from tests.support.raw_upstream import (
    LAST_CHUNK,
    Connection,
    RawUpstream,
    Script,
    Step,
    answer,
    chunk,
    close,
    event,
    flood,
    hang,
    reset,
    sleep,
    stream_head,
)
from tests.support.transports import MB, rss_bytes

End = Callable[[Connection], Awaitable[None]]
BOTH_PIPES = pytest.mark.parametrize("reasoning", ["", "preserve = false"], ids=["fast", "slow"])
BEGUN: Script = [stream_head(), event(ROLE), event(piece("hello"))]
OVERLOADED = '{"error":{"message":"overloaded at 127.0.0.1:9","type":"server_error","code":503}}'


def begun(*more: Step) -> list[Step]:
    """A stream that has said `hello`, and then these steps."""
    return [*BEGUN, *more]


async def test_f12_a_stream_that_never_begins_is_a_504(kind: str) -> None:
    async with facing(kind, [hang], more="first_byte_timeout_s = 0.3") as it:
        await it.expect_refused(504, "upstream_timeout", attempts=1, stream=True)
        assert await it.has_hung_up()
        assert it.hits == 1


async def test_f12_a_stream_kept_alive_by_pings_ends_in_an_error_event(kind: str) -> None:
    async with facing(kind, [hang], more="first_byte_timeout_s = 0.5", server="keepalive_s = 0.1") as it:
        heard = await it.expect_broken("upstream_timeout", attempts=1)
        assert 2 <= heard.body.count(b": ping\n\n") <= 5
        assert it.hits == 1


async def test_f12_after_a_ping_nothing_is_tried_again(kind: str) -> None:
    async with facing(kind, [sleep(0.3), close], [GOOD_STREAM], server="keepalive_s = 0.1") as it:
        await it.expect_broken("upstream_connection_lost", attempts=1)
        assert it.hits == 1


@pytest.mark.parametrize("ping", [True, False])
async def test_f14_a_stream_that_stalls_ends_in_an_error_event(kind: str, ping: bool) -> None:
    server = "keepalive_s = 0.1" if ping else ""
    async with facing(kind, begun(hang), more="idle_timeout_s = 0.35", server=server) as it:
        heard = await it.expect_broken("upstream_timeout", text="hello", attempts=1)
        assert (b": ping\n\n" in heard.body) is ping
        assert await it.has_hung_up()
        usage = it.gateway.exchanges[-1].usage
    assert usage is not None
    assert usage.is_estimated
    assert 1 <= usage.completion <= 20


async def test_f15_a_socket_left_open_after_the_end_does_not_delay_it(kind: str) -> None:
    script: Script = [stream_head(), *map(event, GOOD_EVENTS), hang]
    async with facing(kind, script, [GOOD_STREAM]) as it:
        heard = await it.expect_answered(stream=True)
        assert heard.took_s < 0.5
        assert await it.has_hung_up()
        await it.expect_answered(stream=True)
        assert len(it.upstream.connections) == 2


@BOTH_PIPES
@pytest.mark.parametrize("end", [close, reset, LAST_CHUNK], ids=["fin", "rst", "end-of-body"])
async def test_f16_a_stream_without_a_finish_is_an_error_event_and_never_done(
    kind: str, end: Step, reasoning: str
) -> None:
    async with facing(kind, begun(sleep(0.02), end), reasoning=reasoning) as it:
        await it.expect_broken("upstream_cut", text="hello", attempts=1)
        assert it.hits == 1
        assert it.gateway.exchanges[-1].error_kind == "upstream_cut"


@pytest.mark.parametrize("end", [close, reset, LAST_CHUNK], ids=["fin", "rst", "end-of-body"])
@pytest.mark.parametrize("half", [b"data: " + piece("SECRET").encode()[:-9], b"data: {", b"da"])
async def test_f16_half_an_event_is_not_passed_on(kind: str, end: Step, half: bytes) -> None:
    async with facing(kind, begun(chunk(half), sleep(0.02), end)) as it:
        heard = await it.expect_broken("upstream_cut", text="hello")
    assert b"SECRET" not in heard.body


@pytest.mark.parametrize("end", [close, reset, LAST_CHUNK], ids=["fin", "rst", "end-of-body"])
@pytest.mark.parametrize("start", [b"", event(ROLE)], ids=["nothing", "role-only"])
async def test_f16_a_stream_that_breaks_off_before_its_content_has_a_real_status(
    kind: str, start: bytes, end: Step
) -> None:
    async with facing(kind, [stream_head() + start, sleep(0.02), end]) as it:
        heard = await it.ask(stream=True)
        assert heard.status == 502
        assert heard.error["code"] in ("upstream_cut", "upstream_empty")


@BOTH_PIPES
@pytest.mark.parametrize("end", [close, LAST_CHUNK, reset, hang], ids=["fin", "end-of-body", "rst", "open"])
async def test_f17_a_finish_without_done_is_a_whole_answer(kind: str, end: Step, reasoning: str) -> None:
    script = [stream_head(), *map(event, GOOD_EVENTS[:-1]), sleep(0.02), end]
    async with facing(kind, script, more="idle_timeout_s = 0.3", reasoning=reasoning) as it:
        await it.expect_answered(stream=True, attempts=1)
        assert it.gateway.exchanges[-1].error_kind == ""


async def test_f17_usage_that_came_is_kept(kind: str) -> None:
    usage = '{"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5,"total_tokens":8}}'
    events = [event(data) for data in (*GOOD_EVENTS[:-1], usage)]
    async with facing(kind, [stream_head(), *events, LAST_CHUNK]) as it:
        heard = await it.expect_answered(stream=True)
        assert b'"usage"' not in heard.body
        known = it.gateway.exchanges[-1].usage
        assert known is not None
        assert (known.prompt, known.completion, known.is_estimated) == (3, 5, False)
        heard = await it.expect_answered(stream=True, stream_options={"include_usage": True})
        assert b'"completion_tokens":5' in heard.body


@pytest.mark.parametrize("size", [1, 3])
async def test_f18_bytes_that_drip_give_the_same_text(kind: str, size: int) -> None:
    body = b"".join(f"data: {data}\n\n".encode() for data in GOOD_EVENTS)
    drips = [chunk(body[start : start + size]) for start in range(0, len(body), size)]
    calm: list[Step] = [step for index, drip in enumerate(drips) for step in (drip, sleep(0.001 if index % 8 else 0))]
    async with facing(kind, [stream_head(), *calm, LAST_CHUNK]) as it:
        await it.expect_answered(stream=True)


@pytest.mark.parametrize("noise", [b": thinking\n\n", b"event: ping\ndata:\n\n", b"\n"], ids=["comment", "ping", "lf"])
async def test_f20_noise_without_content_ends_at_the_first_byte_limit(kind: str, noise: bytes) -> None:
    async def murmur(connection: Connection) -> None:
        while True:
            await connection.send(chunk(noise))
            await asyncio.sleep(0.02)

    async with facing(kind, [stream_head(), murmur], more="first_byte_timeout_s = 0.3\nidle_timeout_s = 0.2") as it:
        await it.expect_refused(504, "upstream_timeout", attempts=1, stream=True)
        assert await it.has_hung_up()


async def test_f20_noise_after_content_ends_at_the_content_limit(kind: str) -> None:
    async def murmur(connection: Connection) -> None:
        while True:
            await connection.send(chunk(b": still here\n\n"))
            await asyncio.sleep(0.02)

    more = "content_timeout_s = 0.3\nidle_timeout_s = 0.2"
    async with facing(kind, begun(murmur), more=more, server="keepalive_s = 0.1") as it:
        heard = await it.expect_broken("upstream_timeout", text="hello", attempts=1)
    assert b"still here" not in heard.body
    assert b": ping\n\n" in heard.body


async def test_f20_roles_for_ever_are_not_hoarded(kind: str) -> None:
    """Events without content are held back only up to a cap; after it the stream counts as begun."""
    async with facing(kind, [stream_head(), flood(event(ROLE), 20_000), LAST_CHUNK]) as it:
        before = rss_bytes()
        await it.expect_broken("upstream_empty", attempts=1)
        assert rss_bytes() - before < 60 * MB


async def test_f21_long_thinking_is_bridged_by_pings_between_events(kind: str) -> None:
    pauses = [sleep(0.25), event(piece("hel")), sleep(0.25), chunk(f"data: {piece('lo')[:40]}".encode()), sleep(0.25)]
    rest = chunk(f"{piece('lo')[40:]}\n\n".encode())
    script = [stream_head(), *pauses, rest, event(STOP), event("[DONE]"), LAST_CHUNK]
    async with facing(kind, script, server="keepalive_s = 0.1") as it:
        heard = await it.expect_answered(text="hello", stream=True, attempts=1)
    assert heard.body.count(b": ping\n\n") >= 4
    assert heard.body.replace(b": ping\n\n", b"").startswith(b"data: ")
    assert b"\n: ping" not in heard.body.replace(b"\n\n: ping", b"")


async def test_f21_a_json_answer_is_not_padded(kind: str) -> None:
    async with facing(kind, [sleep(0.3), answer(whole())], server="keepalive_s = 0.1") as it:
        heard = await it.expect_answered()
    assert heard.body == whole()


async def test_f21_a_ping_that_comes_too_late_is_no_second_answer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer has fired, and before its ping is written the upstream refuses and the client is told."""
    late: list[Coroutine[object, object, None]] = []
    monkeypatch.setattr(Supervisor, "run_once", lambda _, __, work: late.append(work))
    async with facing(kind, [sleep(0.2), answer(b"{}", 400)], [GOOD_STREAM], server="keepalive_s = 0.1") as it:
        client = await RawClient.connect(it.gateway.port)
        await client.send(request())
        assert (await client.answer()).status == 400
        assert late
        for ping in late:
            await ping
        late.clear()
        await client.send(request())
        assert (await client.reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        assert b"[DONE]" in await client.reader.readuntil(b"\r\n0\r\n\r\n")
        client.close()


async def test_f31_broken_letters_in_an_event_become_valid_text(kind: str) -> None:
    damaged = event(piece("h?llo")).replace(b"h?llo", b"h\xffllo")
    async with facing(kind, [stream_head(), damaged, event(STOP), event("[DONE]"), LAST_CHUNK]) as it:
        await it.expect_answered(text="h\ufffdllo", stream=True)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (OVERLOADED, 503, "upstream_overloaded"),
        ('{"error":{"message":"slow down","type":"rate_limit_error","code":"429"}}', 429, "rate_limit_exceeded"),
        ('{"error":{"message":"invalid api key","code":"invalid_api_key"}}', 502, "upstream_auth"),
        ("<html>oops</html>", 502, "upstream_malformed"),
        ('{"id":1', 502, "upstream_cut"),
    ],
    ids=["overloaded", "limited", "key", "html", "cut"],
)
@pytest.mark.parametrize("after", [b"", event(ROLE)], ids=["first", "after-the-role"])
async def test_f40_an_error_before_any_content_has_a_real_status(
    kind: str, data: str, status: int, code: str, after: bytes
) -> None:
    script = [stream_head() + after, event(data), event("[DONE]"), LAST_CHUNK]
    async with facing(kind, script, resilience="retry_attempts = 0") as it:
        await it.expect_refused(status, code, attempts=1, stream=True)


async def test_f40_an_error_before_any_content_may_be_tried_again(kind: str) -> None:
    async with facing(kind, [stream_head(), event(OVERLOADED), LAST_CHUNK], [GOOD_STREAM]) as it:
        await it.expect_answered(stream=True, attempts=2)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (OVERLOADED, "upstream_overloaded"),
        ('{"choices":[{"delta":{"content":"x"}', "upstream_cut"),
        ("not json", "upstream_malformed"),
        ("[]", "upstream_malformed"),
        ('{"unknown":1}', "upstream_malformed"),
    ],
    ids=["error", "cut", "words", "list", "unknown"],
)
@pytest.mark.parametrize("together", [True, False])
@BOTH_PIPES
async def test_f41_an_error_in_the_middle_is_told_and_ends_the_stream(
    kind: str, data: str, code: str, together: bool, reasoning: str
) -> None:
    rest = [event(data), event(piece("LATER")), event(STOP), event("[DONE]"), LAST_CHUNK]
    script: Script = [b"".join(step for step in [*BEGUN, *rest] if isinstance(step, bytes))]
    calm = begun(sleep(0.02), *rest)
    async with facing(kind, script if together else calm, [GOOD_STREAM], reasoning=reasoning) as it:
        heard = await it.expect_broken(code, text="hello", attempts=1)
        await it.expect_answered(stream=True)
    assert b"LATER" not in heard.body


@pytest.mark.parametrize(
    "body",
    [
        "".join(f"data: {data}\r\n\r\n" for data in GOOD_EVENTS),
        "\ufeff" + "".join(f"data:{data}\n\n" for data in GOOD_EVENTS),
        ": hi\n\n" + "".join(f": c\nid: 7\nevent: message\nretry: 5\ndata: {data}\n\n" for data in GOOD_EVENTS),
        "".join("data: " + data.replace('"choices"', '\ndata: "choices"') + "\n\n" for data in GOOD_EVENTS),
        "\n\n".join(f"data: {data}" for data in GOOD_EVENTS),
        "\r\r".join(f"data: {data}" for data in GOOD_EVENTS) + "\r\r",
    ],
    ids=["crlf", "bom-no-space", "comments", "two-lines", "no-last-blank-line", "cr"],
)
async def test_f42_odd_framing_gives_the_right_text(kind: str, body: str) -> None:
    async with facing(kind, [stream_head(), chunk(body.encode()), LAST_CHUNK]) as it:
        heard = await it.expect_answered(stream=True)
    assert b"\r" not in heard.body


@pytest.mark.parametrize(
    "body", [whole(), b"\n\n " + whole(), b"\xef\xbb\xbf" + whole()], ids=["plain", "blank", "bom"]
)
@pytest.mark.parametrize("drip", [False, True])
async def test_f43_json_although_a_stream_was_asked_becomes_a_stream(kind: str, body: bytes, drip: bool) -> None:
    pieces: list[Step] = [step for byte in body[:8] for step in (chunk(bytes([byte])), sleep(0.002))]
    script: Script = [stream_head({"Content-Type": "application/json"}), *pieces, chunk(body[8:]), LAST_CHUNK]
    async with facing(kind, script if drip else [answer(body)]) as it:
        await it.expect_answered(stream=True, attempts=1)


async def test_f43_a_stream_although_json_was_asked_becomes_json(kind: str) -> None:
    async with facing(kind, [GOOD_STREAM]) as it:
        heard = await it.expect_answered(attempts=1)
    assert heard.headers["content-type"].startswith("application/json")


async def test_f43_such_a_stream_is_whole_at_its_done(kind: str) -> None:
    async with facing(kind, [stream_head(), *map(event, GOOD_EVENTS), hang]) as it:
        heard = await it.expect_answered(attempts=1)
        assert heard.took_s < 0.5
        assert await it.has_hung_up()


@pytest.mark.parametrize("end", [close, LAST_CHUNK, event(OVERLOADED)], ids=["fin", "end-of-body", "error"])
async def test_f43_such_a_stream_that_fails_is_no_answer(kind: str, end: Step) -> None:
    async with facing(kind, begun(sleep(0.02), end), resilience="retry_attempts = 0") as it:
        heard = await it.ask()
        assert heard.status in (502, 503)
        assert b"hello" not in heard.body


@pytest.mark.parametrize("begins", [False, True], ids=["first", "later"])
async def test_f44_a_line_without_end_is_left_at_the_cap(kind: str, begins: bool) -> None:
    line: list[Step] = [chunk(b"data: "), flood(chunk(b"x" * 65536), 320), hang]
    async with facing(kind, begun(*line) if begins else [stream_head(), *line]) as it:
        before = rss_bytes()
        if begins:
            await it.expect_broken("upstream_malformed", text="hello", attempts=1)
        else:
            await it.expect_refused(502, "upstream_malformed", attempts=1, stream=True)
        assert rss_bytes() - before < 100 * MB
        assert await it.has_hung_up()


async def test_f44_a_json_answer_without_end_is_left_at_the_cap(kind: str) -> None:
    script: Script = [stream_head({"Content-Type": "application/json"}), flood(chunk(b" " * 65535 + b"{"), 800), hang]
    async with facing(kind, script) as it:
        before = rss_bytes()
        await it.expect_refused(502, "upstream_malformed", attempts=1)
        assert rss_bytes() - before < 200 * MB
        assert await it.has_hung_up()


async def test_r8_an_upstream_feels_a_client_that_does_not_read(kind: str) -> None:
    script: Script = [stream_head(), flood(event(piece("x" * 8000)), 4000), event(STOP), event("[DONE]"), LAST_CHUNK]
    async with facing(kind, script) as it, _unread(it):
        for _ in range(100):
            await asyncio.sleep(0.01)
            if await _stands_still(it.upstream):
                break
        assert it.upstream.connections[0].sent_bytes < 20 * MB


async def _stands_still(upstream: RawUpstream) -> bool:
    before = [connection.sent_bytes for connection in upstream.connections]
    await asyncio.sleep(0.2)
    return bool(before) and before == [connection.sent_bytes for connection in upstream.connections] != [0]


class _unread:
    """A client that asks for a stream and takes nothing of it."""

    def __init__(self, it: Facing) -> None:
        self._it = it
        self._session = aiohttp.ClientSession(read_bufsize=1024)

    async def __aenter__(self) -> None:
        url = f"{self._it.gateway.url}/v1/chat/completions"
        self._response = await self._session.post(url, json=chat_body(stream=True))

    async def __aexit__(self, *_: object) -> None:
        self._response.close()
        await self._session.close()


async def test_the_text_of_a_good_stream_is_the_text_of_the_upstream(kind: str) -> None:
    async with facing(kind, [GOOD_STREAM]) as it:
        heard = await it.expect_answered(text=TEXT, stream=True, attempts=1)
    assert heard.headers["content-type"] == "text/event-stream; charset=utf-8"
