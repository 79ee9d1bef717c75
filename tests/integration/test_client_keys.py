"""Client keys (RELIABILITY I1 to I6, I29): one door for every route and every way of bringing a key."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import product
from statistics import median
from typing import Any, Final

import pytest

from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.server.middleware.client_auth import identify, known_keys
from tests.support.front_door import GOOD_BODY, FrontDoor, front_door
from tests.support.raw_client import RawAnswer, ask

KEY: Final = "sk-team-0123456789abcdef"
OTHER: Final = "sk-else-0123456789abcdef"

ROUTES: Final = {
    "chat": (b"POST", b"/v1/chat/completions"),
    "chat without v1": (b"POST", b"/chat/completions"),
    "models": (b"GET", b"/v1/models"),
    "models without v1": (b"GET", b"/models"),
    "one model": (b"GET", b"/v1/models/m"),
    "vision models": (b"GET", b"/v1/vision-models"),
    "nothing": (b"GET", b"/v1/nothing"),
    "wrong method": (b"DELETE", b"/v1/models"),
    "options": (b"OPTIONS", b"/v1/chat/completions"),
}
FORMS: Final = {
    "bearer": b"Authorization: Bearer %b",
    "bearer in lower case": b"authorization: bearer %b",
    "x-api-key": b"x-api-key: %b",
    "x-goog-api-key": b"X-Goog-Api-Key: %b",
}
WRONG: Final = {
    "none": b"",
    "wrong": b"sk-wrong-0123456789abcdef",
    "first half": KEY[:12].encode(),
    "one more letter": KEY.encode() + b"x",
    "one letter less": KEY[:-1].encode(),
    "other case": KEY.upper().encode(),
    "7 KB": b"k" * 7000,
    "SQL": b"' OR 1=1 --",
    "non-ASCII": "sk-schlüssel-日本".encode(),
    "no text at all": b"sk-\xff\xfe\x80",
    "two keys": f"{KEY},{OTHER}".encode(),
    "null": b"null",
}


@pytest.fixture
async def door() -> AsyncIterator[FrontDoor]:
    async with front_door() as door:
        live = door.server.state.settings
        auth = replace(live.current.auth, required="always", client_keys=(Secret(KEY), Secret(OTHER)))
        live.replace(replace(live.current, auth=auth))
        yield door


async def call(door: FrontDoor, route: str, *headers: bytes, query: bytes = b"") -> RawAnswer:
    method, path = ROUTES[route]
    body = GOOD_BODY if method == b"POST" else b""
    head = [b"%b %b%b HTTP/1.1" % (method, path, query), b"Host: gateway.example", b"Content-Length: %d" % len(body)]
    return await ask(door.port, b"\r\n".join([*head, *headers]) + b"\r\n\r\n" + body)


def words(answer: RawAnswer) -> tuple[int, Any]:
    return answer.status, answer.json


@pytest.mark.parametrize("route", ROUTES)
async def test_without_the_right_key_every_route_says_the_same(door: FrontDoor, route: str) -> None:
    """I1, I2: nothing in the answer tells how a key is wrong, or whether the route exists."""
    expected = words(await call(door, "chat"))
    plain = [form for name, form in FORMS.items() if name != "x-goog-api-key"]
    answers = [await call(door, route, form % wrong) for form, wrong in product(plain, WRONG.values()) if wrong]
    googles = [words(await call(door, route, FORMS["x-goog-api-key"] % wrong)) for wrong in WRONG.values() if wrong]
    answers += [
        await call(door, route),
        await call(door, route, b"Authorization:"),
        await call(door, route, b"x-api-key:"),
    ]
    answers += [await call(door, route, b"Authorization: Basic " + KEY.encode())]
    answers += [await call(door, route, b"Authorization: " + KEY.encode())]

    assert expected[0] == 401
    assert expected[1]["error"]["code"] == "invalid_api_key"
    assert all(words(answer) == expected for answer in answers)
    assert all(each == googles[0] for each in googles), "the same, be it in Google's words"
    assert googles[0][0] == 401
    assert door.served == 0
    assert await door.is_well()


@pytest.mark.parametrize(("form", "key"), [*product(FORMS, (KEY, OTHER))])
async def test_the_right_key_opens_every_route_in_every_form(door: FrontDoor, form: str, key: str) -> None:
    header = FORMS[form] % key.encode()

    statuses = {route: (await call(door, route, header)).status for route in ROUTES}

    assert statuses == {
        "chat": 200,
        "chat without v1": 200,
        "models": 200,
        "models without v1": 200,
        "one model": 404,
        "vision models": 200,
        "nothing": 404,
        "wrong method": 405,
        "options": 405,
    }


@pytest.mark.parametrize(
    "headers",
    [
        (b"Authorization: Bearer %b" % KEY.encode(), b"Authorization: Bearer %b" % OTHER.encode()),
        (b"Authorization: Bearer %b" % KEY.encode(), b"Authorization: Bearer %b" % KEY.encode()),
        (b"Authorization: Bearer %b" % KEY.encode(), b"x-api-key: %b" % OTHER.encode()),
        (b"Authorization: Bearer wrong-key", b"x-api-key: %b" % KEY.encode()),
        (b"x-api-key: %b" % KEY.encode(), b"x-api-key: %b" % OTHER.encode()),
        (b"x-api-key: %b" % KEY.encode(), b"x-goog-api-key: %b" % OTHER.encode()),
    ],
)
async def test_two_keys_at_once_are_refused(door: FrontDoor, headers: tuple[bytes, ...]) -> None:
    """I3: nobody picks the key with the wider limits by sending both."""
    answer = await call(door, "chat", *headers)

    assert answer.status == 400
    assert answer.json["error"]["param"] == "Authorization"  # type: ignore[index,call-overload]
    assert door.served == 0


async def test_the_same_key_in_two_headers_is_one_key(door: FrontDoor) -> None:
    answer = await call(door, "chat", b"Authorization: Bearer " + KEY.encode(), b"x-api-key: " + KEY.encode())

    assert answer.status == 200


@pytest.mark.parametrize("query", [b"?key=", b"?api_key=", b"?access_token=", b"?token="])
async def test_a_key_in_the_query_is_no_key(door: FrontDoor, query: bytes) -> None:
    """I4."""
    assert (await call(door, "chat", query=query + KEY.encode())).status == 401
    assert door.served == 0


@pytest.mark.parametrize(
    "header",
    [b"X-Forwarded-For: 127.0.0.1", b"Forwarded: for=127.0.0.1", b"X-Real-IP: 127.0.0.1", b"X-Original-URL: /health"],
)
async def test_what_a_client_says_of_its_address_opens_nothing(door: FrontDoor, header: bytes) -> None:
    """I29."""
    assert (await call(door, "chat", header)).status == 401


async def test_health_and_ready_are_open_and_say_little(door: FrontDoor) -> None:
    for path in (b"/health", b"/ready"):
        answer = await ask(door.port, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        assert answer.status == 200
        assert len(answer.body) < 100


@pytest.mark.parametrize("host", [b"evil.example", b"127.0.0.1.evil.example", b"localhost.evil.example", b""])
async def test_without_keys_a_foreign_host_name_is_not_served(host: bytes) -> None:
    """I26: a web page that points its own name at this machine must not get to the accounts."""
    async with front_door() as door:
        body = b"\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD_BODY), GOOD_BODY)
        answer = await ask(door.port, b"POST /v1/chat/completions HTTP/1.1\r\nHost: " + host + body)

        assert answer.status == 403
        assert door.served == 0


@pytest.mark.parametrize("host", [b"127.0.0.1:1", b"localhost", b"LOCALHOST:28000", b"[::1]:80", b"127.3.2.1"])
async def test_without_keys_the_names_of_this_machine_are_served(host: bytes) -> None:
    async with front_door() as door:
        body = b"\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD_BODY), GOOD_BODY)
        assert (await ask(door.port, b"POST /v1/chat/completions HTTP/1.1\r\nHost: " + host + body)).status == 200


async def test_a_key_taken_away_opens_nothing_at_the_next_request(door: FrontDoor) -> None:
    """I6."""
    live = door.server.state.settings
    header = b"Authorization: Bearer " + KEY.encode()
    assert (await call(door, "chat", header)).status == 200

    live.replace(replace(live.current, auth=replace(live.current.auth, client_keys=(Secret(OTHER),))))

    assert (await call(door, "chat", header)).status == 401


def test_how_much_of_a_key_is_right_does_not_show_in_the_time() -> None:
    """I5: a lookup by digest. The two kinds alternate, so that whatever else the machine does meets both."""
    from multidict import CIMultiDict, CIMultiDictProxy

    from iflow_cli_proxy.core.errors import Unauthenticated

    known = known_keys((Secret(KEY),))
    near, far = (CIMultiDictProxy(CIMultiDict({"x-api-key": key})) for key in (KEY[:-1] + "X", "X" + KEY[1:]))
    times: dict[str, list[int]] = {"near": [], "far": []}
    for _ in range(10_000):
        for name, headers in (("near", near), ("far", far)):
            began = time.perf_counter_ns()
            with pytest.raises(Unauthenticated):
                identify(headers, known.get)
            times[name].append(time.perf_counter_ns() - began)

    assert median(times["near"]) == pytest.approx(median(times["far"]), rel=0.05)
