"""Keys of keys.toml at the door (RELIABILITY I1, I3, I6): out of use or used up, on every route and in every form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest

from iflow_cli_proxy.pool.client_key import Budget, ClientKey, digest_of
from iflow_cli_proxy.server.key_book import KeyBook
from iflow_cli_proxy.state.keys import KeyFile
from tests.support.cli import run_cli
from tests.support.fake_clock import FakeClock
from tests.support.faults import ROLE, piece
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY, FrontDoor, front_door
from tests.support.patience import PATIENCE_S, until
from tests.support.raw_client import RawAnswer, RawClient, ask
from tests.support.raw_upstream import Script, event, hang, stream_head

SECRET: Final = "sk-i2a-0123456789abcdef"
KEY: Final = ClientKey(name="team", digest=digest_of(SECRET))
ROUTES: Final = {
    "chat": (b"POST", b"/v1/chat/completions"),
    "chat without v1": (b"POST", b"/chat/completions"),
    "models": (b"GET", b"/v1/models"),
    "one model": (b"GET", b"/v1/models/m"),
    "vision models": (b"GET", b"/v1/vision-models"),
    "sign-in": (b"POST", b"/auth/initiate"),
    "nothing": (b"GET", b"/v1/nothing"),
    "wrong method": (b"DELETE", b"/v1/models"),
}
FORMS: Final = (b"Authorization: Bearer %b", b"x-api-key: %b", b"X-Goog-Api-Key: %b")


def told(code: str, status: int, route: str, form: bytes) -> str | int:
    """Google's clients ask for models under the same paths, and know an error by its status."""
    is_google = form is FORMS[2] and ROUTES[route][1].startswith(b"/v1/models")
    return status if is_google else code


@dataclass
class Gate:
    door: FrontDoor
    file: KeyFile
    book: KeyBook
    clock: FakeClock

    async def call(self, route: str = "chat", *, form: bytes = FORMS[0], secret: str = SECRET) -> RawAnswer:
        method, path = ROUTES[route]
        body = GOOD_BODY if method == b"POST" else b""
        head = [b"%b %b HTTP/1.1" % (method, path), b"Host: localhost", b"Content-Length: %d" % len(body)]
        head += [form % secret.encode()] if secret else []
        return await ask(self.door.port, b"\r\n".join(head) + b"\r\n\r\n" + body)


@asynccontextmanager
async def gate(
    folder: Path, *keys: ClientKey, required: str = "always", script: Script | None = None
) -> AsyncIterator[Gate]:
    file, clock = KeyFile(folder / "keys.toml"), FakeClock()
    for key in keys:
        file.add(key)
    async with front_door(*([script] if script else [[GOOD_ANSWER]] * 50)) as door:
        state = door.server.state
        state.keys = KeyBook(file, clock=clock)
        state.keys.open()
        state.clock = clock
        settings = state.settings.current
        state.settings.replace(replace(settings, auth=replace(settings.auth, required=required)))
        yield Gate(door, file, state.keys, clock)


def code_of(answer: RawAnswer) -> Any:
    body: Any = answer.json
    return body["error"]["code"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"revoked_at": 1.0}, 401, "key_revoked"),
        ({"is_disabled": True}, 403, "key_disabled"),
        ({"expires_at": 1_600_000_000.0}, 403, "key_expired"),
    ],
)
@pytest.mark.parametrize("required", ["always", "auto"])
async def test_i6_a_key_out_of_use_opens_no_route_in_any_form(
    tmp_path: Path, required: str, change: dict[str, Any], status: int, code: str
) -> None:
    async with gate(tmp_path, replace(KEY, **change), required=required) as it:
        for route, form in product(ROUTES, FORMS):
            answer = await it.call(route, form=form)
            assert (answer.status, code_of(answer)) == (status, told(code, status, route, form)), route
        assert it.door.served == 0
        assert await it.door.is_well()


@pytest.mark.parametrize(
    ("limits", "code", "wait_s"),
    [
        ({"rpm": 1}, "rate_limit_exceeded", "60"),
        ({"tpm": 1}, "rate_limit_exceeded", "60"),
        ({"budget": Budget(amount=1, per="day")}, "insufficient_quota", None),
    ],
)
@pytest.mark.parametrize("required", ["always", "auto"])
async def test_i6_a_key_that_is_used_up_opens_no_route_in_any_form(
    tmp_path: Path, required: str, limits: dict[str, Any], code: str, wait_s: str | None
) -> None:
    async with gate(tmp_path, replace(KEY, **limits), required=required) as it:
        assert (await it.call()).status == 200
        for route, form in product(ROUTES, FORMS):
            answer = await it.call(route, form=form)
            assert (answer.status, code_of(answer)) == (429, told(code, 429, route, form)), route
            assert answer.headers["retry-after"] == (wait_s or answer.headers["retry-after"])
        assert it.door.served == 1

        it.clock.advance(float(answer.headers["retry-after"]))
        assert (await it.call()).status == 200


async def test_what_never_goes_out_uses_nothing_up(tmp_path: Path) -> None:
    async with gate(tmp_path, replace(KEY, rpm=1)) as it:
        statuses = [(await it.call(route)).status for route in (*ROUTES,) * 3 if not route.startswith("chat")]
        assert 429 not in statuses

        assert (await it.call()).status == 200
        assert (await it.call("models")).status == 429


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
async def test_i6_a_client_that_leaves_frees_its_place(tmp_path: Path, stream: bool) -> None:
    async with gate(tmp_path, replace(KEY, concurrency=1), script=[hang]) as it:
        body = GOOD_BODY[:-1] + (b',"stream":true}' if stream else b"}")
        client = await RawClient.connect(it.door.port)
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nx-api-key: %b\r\n" % SECRET.encode()
        await client.send(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await until(lambda: it.book.allowances.running("team") == 1)

        refused = await it.call()
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert (await it.call("models")).status == 200

        client.writer.transport.abort()
        await until(lambda: it.book.allowances.running("team") == 0)


async def test_leaving_in_the_middle_of_an_answer_does_not_make_it_free(tmp_path: Path) -> None:
    key = replace(KEY, concurrency=1, budget=Budget(amount=20, per="day"))
    async with gate(
        tmp_path, key, script=[stream_head() + event(ROLE) + event(piece("hello, this is an answer")), hang]
    ) as it:
        client = await RawClient.connect(it.door.port)
        body = GOOD_BODY[:-1] + b',"stream":true}'
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nx-api-key: %b\r\n" % SECRET.encode()
        await client.send(head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        async with asyncio.timeout(PATIENCE_S):
            await client.reader.readuntil(b"hello")

        client.writer.transport.abort()
        await until(lambda: it.book.allowances.running("team") == 0)

        assert it.book.allowances.spent("team", Budget(amount=1), it.clock.now()).tokens >= 20
        assert (await it.call("models")).status == 429


async def test_on_loopback_a_key_that_is_sent_is_obeyed_and_other_words_are_not(tmp_path: Path) -> None:
    async with gate(tmp_path, replace(KEY, rpm=1), required="auto") as it:
        assert [(await it.call(secret=word)).status for word in ("", "any", "EMPTY")] == [200] * 3
        assert [(await it.call()).status for _ in range(2)] == [200, 429]
        assert (await it.call(secret="any")).status == 200


async def test_i3_the_stricter_limits_cannot_be_left_by_a_second_header(tmp_path: Path) -> None:
    wide = ClientKey(name="wide", digest=digest_of("sk-i2a-wide"))
    for required in ("always", "auto"):
        async with gate(tmp_path / required, replace(KEY, rpm=1), wide, required=required) as it:
            both = b"Authorization: Bearer %b\r\nx-api-key: sk-i2a-wide"
            assert (await it.call(form=both)).status == 400
            assert it.door.served == 0


async def test_with_a_key_any_host_name_is_served_on_loopback(tmp_path: Path) -> None:
    async with gate(tmp_path, KEY, required="auto") as it:
        foreign = b"Host: box.example\r\nx-api-key: %b"
        request = b"GET /v1/models HTTP/1.1\r\n" + foreign + b"\r\n\r\n"
        assert (await ask(it.door.port, request % SECRET.encode())).status == 200
        assert (await ask(it.door.port, request % b"any")).status == 403


async def test_keys_are_made_replaced_and_revoked_beside_a_running_server(tmp_path: Path) -> None:
    def key(*args: str) -> str:
        done = run_cli("key", *args, env={"IFLOW2API_HOME": str(tmp_path)})
        assert done.code == 0, done.err
        return done.out.strip()

    async with gate(tmp_path) as it:
        first = key("create", "me")
        await it.book.look()
        assert (await it.call(secret=first)).status == 200

        second = key("rotate", "me")
        await it.book.look()
        assert [(await it.call(secret=one)).status for one in (first, second)] == [401, 200]

        key("revoke", "me", "--yes")
        await it.book.look()
        answer = await it.call(secret=second)
        assert (answer.status, code_of(answer)) == (401, "key_revoked")
        assert code_of(await it.call(secret=first)) == "invalid_api_key"


async def test_the_exchange_says_who_called_and_what_may_be_used(tmp_path: Path) -> None:
    async with gate(tmp_path, replace(KEY, models=("glm-*",), pool="fast")) as it:
        seen: list[Any] = []
        it.door.server.state.observers.append(lambda exchange: seen.append((exchange.client, exchange.caller.key)))
        await it.call()

    assert [(name, key.models, key.pool) for name, key in seen] == [("team", ("glm-*",), "fast")]
