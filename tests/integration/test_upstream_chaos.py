"""Every fault at once: whatever upstreams and clients do to each other, each client gets its own answer or an error."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import aiohttp
import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.pool.breaker import BreakerRules
from tests.support.faults import ROLE, STOP, Facing, facing, piece, whole
from tests.support.gateway import chat_body
from tests.support.raw_upstream import (
    LAST_CHUNK,
    Connection,
    answer,
    chunk,
    close,
    event,
    half_close,
    hang,
    head,
    reset,
    sleep,
    stream_head,
)

ROUNDS = 12
AT_ONCE = 25
MORE = "first_byte_timeout_s = 0.15\nidle_timeout_s = 0.15\nconcurrency = 20"
SERVER = "keepalive_s = 0.05"
NEVER = 1_000_000
NO_BREAKER = BreakerRules(in_a_row=NEVER, least=NEVER)
Fault = Callable[[str], list[bytes | Callable[[Connection], Awaitable[None]]]]


def streamed(word: str, *more: str) -> bytes:
    return stream_head() + b"".join(map(event, (ROLE, piece(word), *more)))


FAULTS: tuple[Fault, ...] = (
    lambda word: [close],
    lambda word: [reset],
    lambda word: [b"HTTP/1.1 200 OK\r\nContent-T", sleep(0.01), reset],
    lambda word: [b"\x00\x01nonsense\r\n\r\n", close],
    lambda word: [hang],
    lambda word: [answer(b'{"error":{"message":"no"}}', 400)],
    lambda word: [answer(b"{}", 429, {"Retry-After": "9"})],
    lambda word: [answer(b"<html>", 503)],
    lambda word: [answer(b"", 500)],
    lambda word: [head(200, {"Content-Length": "5000"}) + whole(word), sleep(0.01), close],
    lambda word: [answer(whole(word)[:-9])],
    lambda word: [answer(whole(word) + b"EXCESS")],
    lambda word: [answer(whole(word)), answer(whole("STOLEN"))],
    lambda word: [streamed(word), sleep(0.01), reset],
    lambda word: [streamed(word), LAST_CHUNK],
    lambda word: [streamed(word), hang],
    lambda word: [streamed(word), chunk(b'data: {"choices":[{"del'), sleep(0.01), close],
    lambda word: [streamed(word), event('{"error":{"message":"oops"}}'), LAST_CHUNK],
    lambda word: [streamed(word, STOP), half_close, hang],
    lambda word: [streamed(word, STOP, "[DONE]"), hang],
    lambda word: [streamed(word, STOP, "[DONE]"), b"zz\r\n"],
    lambda word: [stream_head(), b"10000000000000000\r\n", hang],
)


def good(word: str) -> list[bytes | Callable[[Connection], Awaitable[None]]]:
    return [answer(whole(word)), sleep(0)] if int(word[4:]) % 2 else [streamed(word, STOP, "[DONE]") + LAST_CHUNK]


class Chaos:
    def __init__(self, seed: int, *, model: Callable[[int], str]) -> None:
        self._rng = random.Random(seed)
        self._model = model
        """Of the client with this number."""

    async def upstream(self, connection: Connection) -> None:
        """Plays one of the faults, or answers; in either case about what this very request asked."""
        word = jsonx.decode(connection.requests[-1].body)["messages"][0]["content"]
        for step in (self._rng.choice(FAULTS) if self._rng.random() < 0.6 else good)(word):
            await (connection.send(step) if isinstance(step, bytes) else step(connection))

    async def client(self, it: Facing, number: int) -> str:
        word = f"word{number}"
        asked = chat_body(
            model=self._model(number),
            stream=self._rng.random() < 0.5,
            messages=[{"role": "user", "content": word}],
        )
        leaves_after_s = self._rng.choice((None, None, None, 0.002, 0.02, 0.1))
        try:
            async with asyncio.timeout(leaves_after_s), aiohttp.ClientSession() as session:
                url = f"{it.gateway.url}/v1/chat/completions"
                async with session.post(url, json=asked) as response:
                    return check(word, response.status, response.headers["content-type"], await response.read())
        except TimeoutError:
            return "left"


def check(word: str, status: int, content_type: str, body: bytes) -> str:
    """Its own answer, whole, or an error in the right shape; nothing in between."""
    assert b"STOLEN" not in body
    assert b"EXCESS" not in body
    if status != 200:
        assert set(jsonx.decode(body)["error"]) == {"message", "type", "param", "code"}
        assert b"word" not in body
        return "refused"
    if not content_type.startswith("text/event-stream"):
        assert jsonx.decode(body)["choices"][0]["message"]["content"] == word
        return "whole"
    is_done, is_broken = body.endswith(b"data: [DONE]\n\n"), b'data: {"error"' in body
    assert is_done is not is_broken
    own = body.count(f'"content":"{word}"'.encode())
    assert own == body.count(b'"content":"word') == 1 or (is_broken and own == 0)
    return "whole" if is_done else "broken"


async def outcomes(it: Facing, chaos: Chaos) -> list[str]:
    seen: list[str] = []
    for start in range(0, ROUNDS * AT_ONCE, AT_ONCE):
        seen += await asyncio.gather(*(chaos.client(it, start + number) for number in range(AT_ONCE)))
    assert await it.gateway.is_idle_within(1)
    assert it.gateway.services.turnstile.waiting == 0
    assert len(it.gateway.exchanges) >= len(seen) - seen.count("left")
    return seen


async def test_nobody_gets_anything_but_its_own_answer_or_an_error(kind: str) -> None:
    chaos = Chaos(seed=1, model=lambda number: f"m{number}")
    async with facing(kind, [chaos.upstream], more=MORE, server=SERVER) as it:
        pool = it.gateway.services.pool
        pool.rules = msgspec.structs.replace(pool.rules, failure_threshold=NEVER, breaker=NO_BREAKER)
        seen = await outcomes(it, chaos)
    assert {kind: seen.count(kind) > 10 for kind in ("whole", "broken", "refused", "left")} == dict.fromkeys(
        ("whole", "broken", "refused", "left"), True
    )


async def test_nor_where_the_account_rests_and_breakers_open(kind: str) -> None:
    chaos = Chaos(seed=2, model=lambda number: "glm-5" if number % 3 else f"m{number}")
    async with facing(kind, [chaos.upstream], more=MORE, server=SERVER) as it:
        seen = await outcomes(it, chaos)
    assert seen.count("refused") > 10
