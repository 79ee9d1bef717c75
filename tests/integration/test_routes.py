"""Paths, methods and the heads of answers: what HTTP promises besides the bodies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import pytest

from iflow_cli_proxy.routing.catalog import Model
from tests.support.chat_stream import STREAM_BODY, WHOLE, get, request, stream_of
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY, FrontDoor, front_door
from tests.support.raw_client import Dial, RawAnswer, ask

ODD_NAMES: Final = (
    "qwen/qwen3-coder:free",
    "a/b/c",
    "Qwen3 Coder (30B)",
    "modèle-日本",
    "gpt-4.1@2026",
    "50%",
    "a+b",
    "what?",
    "x#y",
)


async def call(door: FrontDoor, method: bytes, path: bytes) -> RawAnswer:
    return await ask(door.port, get(path, method))


@pytest.mark.parametrize("path", [b"/health", b"/ready", b"/v1/models", b"/models", b"/v1/vision-models"])
async def test_head_is_get_without_the_body(dial: Dial, path: bytes) -> None:
    async with front_door() as door:
        full = await call(door, b"GET", path)
        client = await dial(door.port)
        await client.send(get(path, b"HEAD"), get(b"/health"))

        head = (await client.reader.readuntil(b"\r\n\r\n")).lower()

        assert b"content-length: %d\r\n" % len(full.body) in head
        assert (await client.answer()).status == 200  # no byte of a body stood in between


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        (b"GET", b"/v1/chat/completions", "POST"),
        (b"HEAD", b"/v1/chat/completions", "POST"),
        (b"OPTIONS", b"/v1/chat/completions", "POST"),
        (b"DELETE", b"/v1/models", "GET,HEAD"),
        (b"POST", b"/health", "GET,HEAD"),
        (b"OPTIONS", b"/v1/models/m", "GET,HEAD"),
        (b"PATCH", b"/v1/models", "GET,HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(dial: Dial, method: bytes, path: bytes, allowed: str) -> None:
    async with front_door() as door:
        client = await dial(door.port)
        await client.send(get(path, method))
        head = (await client.reader.readuntil(b"\r\n\r\n")).decode().lower()

        assert head.startswith("http/1.1 405 ")
        assert f"\r\nallow: {allowed.lower()}\r\n" in head
        assert "\r\naccess-control-" not in head


@pytest.mark.parametrize(
    "path",
    [
        b"/v1",
        b"/v1/",
        b"/v1/models/",
        b"/v1/chat/completions/",
        b"/health/",
        b"/V1/models",
        b"/v1/chat",
        b"/favicon.ico",
    ],
)
async def test_a_path_that_is_nearly_right_is_not_right(path: bytes) -> None:
    """A slash too many included: two spellings of one thing are two things to protect."""
    async with front_door() as door:
        answer = await call(door, b"GET" if b"chat" not in path else b"POST", path)

        assert answer.status == 404
        assert answer.json["error"]["code"] == "not_found"  # type: ignore[index,call-overload]
        assert "location" not in answer.headers


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("prefix", ["/v1/models/", "/models/"])
async def test_a_model_is_found_by_whatever_name_it_has(prefix: str, name: str) -> None:
    async with front_door() as door:
        (upstream,) = door.server.state.gateway.current.upstreams.values()
        upstream.provider.catalog.merge_remote([Model(id=name)])

        for spelling in {quote(name, safe="/:@+()"), quote(name, safe="")}:
            answer: Any = await call(door, b"GET", (prefix + spelling).encode())
            assert (answer.status, answer.json["id"]) == (200, name)

        listed: Any = (await call(door, b"GET", b"/v1/models")).json
        assert name in [row["id"] for row in listed["data"]]


@pytest.mark.parametrize("name", [b"nothing", b"a%0d%0aX-Evil:1", b"%ff%fe", b"x" * 4000, b"%00"])
async def test_a_model_that_nobody_lists_is_not_found(name: bytes) -> None:
    async with front_door() as door:
        answer = await call(door, b"GET", b"/v1/models/" + name)

        assert answer.status in (400, 404)
        assert "x-evil" not in answer.headers
        assert len(answer.body) < 400


ANSWERS: Final = {
    "good": request(GOOD_BODY),
    "bad body": request(b"{"),
    "health": get(b"/health"),
    "models": get(b"/v1/models"),
    "no such path": get(b"/nothing"),
    "wrong method": get(b"/v1/models", b"DELETE"),
    "foreign host": b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "too large": b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n",
    "too large, asked first": b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    b"Content-Length: 99999999999\r\n\r\n",
    "odd expectation": b"GET /health HTTP/1.1\r\nHost: localhost\r\nExpect: a-miracle\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "old HTTP": b"GET /health HTTP/0.9\r\n\r\n",
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_every_answer_says_who_and_which_and_is_not_kept(case: str) -> None:
    async with front_door() as door:
        answer = await ask(door.port, ANSWERS[case])

        assert answer.headers["x-request-id"]
        assert "aiohttp" not in answer.headers.get("server", "").lower()
        assert "python" not in answer.headers.get("server", "").lower()
        assert answer.headers["content-type"].startswith("application/json")


async def test_answers_of_the_application_are_not_stored_by_anybody() -> None:
    async with front_door() as door:
        for data in (request(GOOD_BODY), get(b"/v1/models"), get(b"/health"), get(b"/nothing")):
            headers = (await ask(door.port, data)).headers
            assert headers["cache-control"] == "no-store"
            assert headers["server"] == "iflow2api"


async def test_a_stream_says_what_proxies_must_know(dial: Dial) -> None:
    async with front_door(stream_of()) as door:
        client = await dial(door.port)
        await client.send(request(STREAM_BODY, b"x-request-id: my.own_id-1"))
        head = (await client.rest_of_answer(WHOLE)).partition(b"\r\n\r\n")[0].decode().lower()

        for line in (
            "cache-control: no-cache",
            "x-accel-buffering: no",
            "server: iflow2api",
            "x-request-id: my.own_id-1",
        ):
            assert f"\r\n{line}" in head


@pytest.mark.parametrize("given", [b"has spaces", b"x" * 65, b'"quoted"', b"\xff", b"a;b", b"<script>"])
async def test_a_request_id_that_could_do_harm_is_replaced(given: bytes) -> None:
    async with front_door() as door:
        answer = await ask(door.port, request(GOOD_BODY, b"x-request-id: " + given))

        assert answer.status == 200
        assert answer.headers["x-request-id"].encode() != given
        assert answer.headers["x-request-id"].replace("_", "").replace("-", "").isalnum()


async def test_the_continue_is_given_only_to_a_body_that_will_be_read(dial: Dial) -> None:
    head = request(GOOD_BODY, b"Expect: 100-continue").removesuffix(GOOD_BODY)
    async with front_door([GOOD_ANSWER]) as door:
        client = await dial(door.port)
        await client.send(head)
        assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(GOOD_BODY)
        assert (await client.answer()).status == 200

        live = door.server.state.settings
        live.replace(replace(live.current, auth=replace(live.current.auth, required="always")))
        await client.send(head)
        assert (await client.answer()).status == 401
        assert door.served == 1
