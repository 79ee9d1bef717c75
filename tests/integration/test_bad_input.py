"""Bad bodies (RELIABILITY I7 to I18): a precise refusal, nothing sent upstream, and the gateway serves on.

The real server in this process, in front of an upstream that counts.
"""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import Any, Final

import pytest

from iflow_cli_proxy.core import jsonx
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY, FrontDoor, front_door
from tests.support.raw_client import RawAnswer, ask

MESSAGES: Final = b'[{"role":"user","content":"hi"}]'
DIGITS: Final = b"9" * 5000


async def post(door: FrontDoor, body: bytes, *headers: bytes, path: bytes = b"/v1/chat/completions") -> RawAnswer:
    kind = () if any(line.lower().startswith(b"content-type") for line in headers) else (JSON,)
    head = [b"POST " + path + b" HTTP/1.1", b"Host: localhost", b"Content-Length: %d" % len(body), *kind, *headers]
    return await ask(door.port, b"\r\n".join(head) + b"\r\n\r\n" + body)


JSON: Final = b"Content-Type: application/json"


def with_field(name: str, value: bytes) -> bytes:
    """A good body with one more field, its value in its own spelling."""
    return b'{"model":"m","messages":%b,"%b":%b}' % (MESSAGES, name.encode(), value)


def with_messages(value: bytes) -> bytes:
    return b'{"model":"m","messages":%b}' % value


def with_model(value: bytes) -> bytes:
    return b'{"model":%b,"messages":%b}' % (value, MESSAGES)


def assert_refused(answer: RawAnswer, status: int, param: str | None) -> None:
    assert answer.status == status, answer.body[:300]
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-request-id"]
    body: Any = answer.json
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["message"]
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["param"] == param
    for giveaway in (b"Traceback", b"site-packages", b"iflow_cli_proxy", b"127.0.0.1", b"msgspec", b".py"):
        assert giveaway not in answer.body
    assert len(answer.body) < 1000


BODIES: Final[dict[str, tuple[bytes, str | None]]] = {
    "empty": (b"", None),
    "blank": (b"  \r\n", None),
    "cut": (b'{"model":"m","messages":[{"role":"us', None),
    "null": (b"null", None),
    "list": (b"[]", None),
    "string": (b'"hi"', None),
    "number": (b"1", None),
    "two values": (GOOD_BODY + GOOD_BODY, None),
    "UTF-16": (GOOD_BODY.decode().encode("utf-16"), None),
    "bad UTF-8": (with_messages(b'[{"role":"user","content":"\xff\xfe"}]'), "messages"),
    "deep list": (with_field("x", b"[" * 100_000 + b"]" * 100_000), None),
    "deep list, cut": (b"[" * 100_000, None),
    "deep object": (with_field("x", b'{"a":' * 50_000 + b"1" + b"}" * 50_000), None),
    "150 levels": (with_field("x", b"[" * 150 + b"]" * 150), "x"),
    "3 million lists": (with_field("x", b"[" + b"[]," * 3_000_000 + b"0]"), "x"),
    "850 000 fields": (
        b'{"model":"m","messages":%b%b}' % (MESSAGES, b"".join(b',"%d":1' % n for n in range(850_000))),
        None,
    ),
    "NaN": (with_field("temperature", b"NaN"), None),
    "infinity": (with_field("temperature", b"-Infinity"), None),
    "1e400": (with_field("temperature", b"1e400"), "temperature"),
    "5000 digits": (with_field("seed", DIGITS), "seed"),
    "5000 digits, unmodelled": (with_field("x", DIGITS), "x"),
    "no model": (b'{"messages":%b}' % MESSAGES, "model"),
    "no messages": (b'{"model":"m"}', "messages"),
    "model: line break": (with_model(rb'"m\r\nX-Evil: 1"'), "model"),
    "model: NUL": (with_model(rb'"m\u0000"'), "model"),
    "model: climbing": (with_model(b'"../../etc/passwd"'), "model"),
    "model: 1 MB": (with_model(b'"' + b"m" * 1_000_000 + b'"'), "model"),
    "model: integer": (with_model(b"7"), "model"),
    "model: null": (with_model(b"null"), "model"),
    "model: empty": (with_model(b'""'), "model"),
    "model: template": (with_model(b'"{{7*191}}"'), "model"),
    "model: right-to-left mark": (with_model(rb'"m\u202e"'), "model"),
    "messages: string": (with_messages(b'"hi"'), "messages"),
    "messages: empty": (with_messages(b"[]"), "messages"),
    "messages: null": (with_messages(b"null"), "messages"),
    "messages: 100 000": (with_messages(b"[" + b",".join([MESSAGES[1:-1]] * 100_000) + b"]"), "messages"),
    "messages: odd role": (with_messages(b'[{"role":"root","content":"hi"}]'), "messages[0].role"),
    "messages: no role": (with_messages(b'[{"content":"hi"}]'), "messages[0].role"),
    "messages: integer content": (with_messages(b'[{"role":"user","content":7}]'), "messages[0].content"),
    "messages: a string among them": (with_messages(MESSAGES[:-1] + b',"hi"]'), "messages[1]"),
    "messages: a prompt without content": (with_messages(b'[{"role":"user"}]'), "messages[0].content"),
    "messages: an assistant that says nothing": (with_messages(b'[{"role":"assistant"}]'), "messages[0].content"),
    "messages: a result of no call": (with_messages(b'[{"role":"tool","content":""}]'), "messages[0].tool_call_id"),
    "messages: a picture from nowhere": (
        with_messages(b'[{"role":"user","content":[{"type":"image_url","image_url":"x"}]}]'),
        "messages[0].content[0].image_url",
    ),
    "temperature: 99": (with_field("temperature", b"99"), "temperature"),
    "tools: a function without one": (with_field("tools", b'[{"type":"function"}]'), "tools[0].function"),
    "stream: yes": (with_field("stream", b'"yes"'), "stream"),
    "stream_options: string": (with_field("stream_options", b'"usage"'), "stream_options"),
    "max_tokens: -1": (with_field("max_tokens", b"-1"), "max_tokens"),
    "max_tokens: 0": (with_field("max_tokens", b"0"), "max_tokens"),
    "max_tokens: 1e9": (with_field("max_tokens", b"1e9"), "max_tokens"),
    "max_tokens: true": (with_field("max_tokens", b"true"), "max_tokens"),
    "n: 10 000": (with_field("n", b"10000"), "n"),
    "tools: 10 000": (
        with_field("tools", b"[" + b",".join([b'{"type":"function","function":{"name":"f"}}'] * 10_000) + b"]"),
        "tools",
    ),
    "tools: a name of 100 KB": (
        with_field("tools", b'[{"type":"function","function":{"name":"%b"}}]' % (b"f" * 100_000)),
        "tools[0].function.name",
    ),
    "tools: object": (with_field("tools", b"{}"), "tools"),
    "metadata: list": (with_field("metadata", b"[1]"), "metadata"),
    **{
        f"{name} from the body": (with_field(name, b'"http://169.254.169.254/"'), name)
        for name in ("api_base", "base_url", "api_key", "extra_headers", "custom_llm_provider", "__proto__")
    },
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_bad_body_is_refused_by_name_and_goes_nowhere(case: str) -> None:
    body, param = BODIES[case]
    async with front_door() as door:
        began = time.perf_counter()

        answer = await post(door, body)

        assert time.perf_counter() - began < 1.0
        assert_refused(answer, 400, param)
        assert door.served == 0
        assert await door.is_well()


TYPES: Final = {
    "text": b"text/plain",
    "form": b"application/x-www-form-urlencoded",
    "multipart without an end": b"multipart/form-data; boundary=x",
    "bogus charset": b"application/json; charset=bogus",
    "UTF-16": b"application/json; charset=utf-16",
    "nothing": b"",
    "junk": b";;;=",
    "not quite JSON": b"application/jsonp",
}


@pytest.mark.parametrize("case", TYPES)
async def test_a_body_of_another_type_is_not_taken(case: str) -> None:
    async with front_door() as door:
        assert_refused(await post(door, GOOD_BODY, b"Content-Type: " + TYPES[case]), 415, None)
        assert door.served == 0
        assert await door.is_well()


@pytest.mark.parametrize(
    "header",
    [
        b"application/json; charset=UTF-8",
        b'application/json;charset="utf8"',
        b"Application/JSON",
        b"application/x+json",
    ],
)
async def test_every_spelling_of_json_is_taken(header: bytes) -> None:
    async with front_door() as door:
        assert (await post(door, GOOD_BODY, b"Content-Type: " + header)).status == 200


BOMB: Final = gzip.compress(b" " * (32 << 20))


@pytest.mark.parametrize(
    ("coding", "body"),
    [(b"gzip", BOMB), (b"gzip", GOOD_BODY), (b"deflate", b"x"), (b"br", b"x"), (b"zstd", b"x"), (b"x\xff", b"x")],
    ids=["bomb", "a lie", "deflate", "br", "zstd", "nonsense"],
)
async def test_a_compressed_body_is_not_even_opened(coding: bytes, body: bytes) -> None:
    async with front_door() as door:
        before = resident_bytes()

        answer = await post(door, body, b"Content-Encoding: " + coding)

        assert_refused(answer, 415, None)
        assert resident_bytes() - before < 10 << 20
        assert door.served == 0
        assert await door.is_well()


def resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


async def test_what_is_checked_is_what_is_sent_when_a_key_stands_twice() -> None:
    """I11: the last one wins, for us and for the upstream, which is sent one only."""
    body = b'{"model":"evil\\n","n":10000,"model":"m","n":1,"messages":%b}' % MESSAGES
    async with front_door() as door:
        answer = await post(door, body)

        sent = door.upstream.requests[0].body
        assert answer.status == 200
        assert sent.count(b'"model"') == sent.count(b'"n"') == 1
        assert jsonx.decode(sent)["model"] == "m"
        assert jsonx.decode(sent)["n"] == 1


@pytest.mark.parametrize("text", [rb"\u0000", rb"\ud83d\ude00", "日本\N{PILE OF POO}".encode(), b"\xef\xbb\xbf"])
async def test_odd_but_valid_text_arrives_as_it_was(text: bytes) -> None:
    body = with_messages(b'[{"role":"user","content":"%b"}]' % text)
    async with front_door() as door:
        assert (await post(door, body)).status == 200
        sent = jsonx.decode(door.upstream.requests[0].body)
        assert sent["messages"] == jsonx.decode(body)["messages"]


async def test_a_lone_half_of_a_character_never_becomes_our_bug() -> None:
    async with front_door() as door:
        answer = await post(door, with_messages(rb'[{"role":"user","content":"\ud800"}]'))

        assert answer.status in (200, 400)
        assert await door.is_well()


async def test_a_byte_order_mark_passes() -> None:
    async with front_door() as door:
        assert (await post(door, b"\xef\xbb\xbf" + GOOD_BODY)).status == 200


async def test_an_unknown_field_is_the_upstreams_business() -> None:
    async with front_door() as door:
        assert (await post(door, with_field("x_new", b'{"deep":[1,2]}'))).status == 200
        assert jsonx.decode(door.upstream.requests[0].body)["x_new"] == {"deep": [1, 2]}


async def test_metadata_reaches_no_header_and_no_path() -> None:
    metadata = rb'{"user_id":"x\r\nX-Evil: 1","session_id":"../../x"}'
    async with front_door() as door:
        assert (await post(door, with_field("metadata", metadata))).status == 200
        request = door.upstream.requests[0]
        assert request.target == "/v1/chat/completions"
        assert request.header("x-evil") is None


async def test_bad_and_good_requests_share_a_connection() -> None:
    async with front_door([GOOD_ANSWER]) as door:
        for _ in range(20):
            assert (await post(door, b"{")).status == 400
            assert (await post(door, GOOD_BODY)).status == 200
        assert door.served == 20
        assert not door.server.state.in_flight
