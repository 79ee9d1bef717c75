"""What the flight recorder leaves in the ledger of a real server, and that no secret is in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.state.flight_queries import Found
from tests.support.chat_stream import STREAM_BODY, delta, request, stream_of
from tests.support.flights import kept
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import RawClient, ask
from tests.support.raw_upstream import RawUpstream, Script, answer, close, hang, sleep, stream_head, wait_for

CLIENT_KEY: Final = "Canary1-of.the_client/0000"
ACCOUNT_KEY: Final = "Canary2-of.the_account/1111"
COOKIE: Final = "Canary3-of.a_cookie/2222"
EXTRA: Final = "Canary4-of.a_header/3333"
IN_BODY: Final = "sk-Canary5InABody4444444444"
OF_UPSTREAM: Final = "Canary6-of.upstreams_cookie/5555"
CANARIES: Final = (CLIENT_KEY, ACCOUNT_KEY, COOKIE, EXTRA, IN_BODY, OF_UPSTREAM)

GOOD: Final = answer(
    b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,'
    b'"completion_tokens":1,"total_tokens":2}}',
    headers={"set-cookie": f"sid={OF_UPSTREAM}"},
)
BODY: Final = jsonx.encode({"model": "m", "seed": 5, "messages": [{"role": "user", "content": f"my key {IN_BODY}"}]})
SECRETS: Final = (
    f"Authorization: Bearer {CLIENT_KEY}".encode(),
    f"Cookie: a={COOKIE}".encode(),
)


class Scene:
    """A gateway that records, and its upstream."""

    def __init__(self, gateway: RunningGateway, upstream: RawUpstream, home: Path) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self._home = home

    @property
    def port(self) -> int:
        return self.gateway.port

    async def post(self, body: bytes, *headers: bytes, path: bytes = b"/v1/chat/completions") -> bytes:
        """Everything that comes back, head and all."""
        client = await RawClient.connect(self.port)
        try:
            await client.send(request(body, *headers, b"Connection: close", path=path))
            return await client.rest()
        finally:
            client.close()

    async def flights(self) -> list[Found]:
        """The oldest first. Ends the server."""
        assert await self.gateway.is_idle_within(5.0)
        await self.gateway.server.aclose()
        return kept(self._home / "usage.sqlite3")

    async def only(self) -> tuple[Found, dict[str, Any]]:
        (one,) = await self.flights()
        assert one.flight is not None
        return one, one.flight


@asynccontextmanager
async def scene(home: Path, *scripts: Script, recorder: str = "", more: str = "") -> AsyncIterator[Scene]:
    async with RawUpstream(*scripts) as upstream:
        toml = f"""
[recorder]
{recorder}
[routing]
default_provider = "up"
fallbacks = {{ "m" = ["spare/m"] }}
[resilience]
retry_attempts = 0
[providers.up]
kind = "openai_compatible"
base_url = "{upstream.url}/v1"
api_key = "{ACCOUNT_KEY}"
transport = "plain"
headers = {{ "x-team" = "{EXTRA}" }}
[providers.spare]
kind = "openai_compatible"
base_url = "{upstream.url}/v1"
api_key = "{ACCOUNT_KEY}"
transport = "plain"
{more}
"""
        async with running_gateway(toml, home=home) as gateway:
            yield Scene(gateway, upstream, home)


async def test_the_fast_path_leaves_names_sizes_times_and_no_words(tmp_path: Path) -> None:
    async with scene(tmp_path, [GOOD]) as it:
        await it.post(BODY, *SECRETS)
        one, flight = await it.only()
    assert one.row.status == 200
    (attempt,) = flight["attempts"]
    assert (attempt["route"], attempt["status"], attempt["error_kind"]) == ("up/m", 200, "")
    moments = [attempt[name] for name in ("started_s", "headers_s", "first_content_s", "ended_s")]
    assert moments == sorted(moments)
    assert flight["route"]["routes"] == ["up/m", "spare/m"]
    assert flight["client_request"]["fields"] == ["model", "seed", "messages"]
    assert flight["client_request"]["bytes"] == len(BODY)
    assert set(flight["upstream_request"][0]["fields"]) == {"model", "seed", "messages"}
    assert flight["upstream_reply"][0]["fields"] == ["id", "object", "created", "model", "choices", "usage"]
    assert flight["client_reply"]["status"] == 200
    assert flight["client_reply"]["headers"]["x-request-id"] == one.row.request_id
    sides = [flight["client_request"], flight["client_reply"], *flight["upstream_request"], *flight["upstream_reply"]]
    assert [side["body"] for side in sides] == [None] * 4


async def test_a_stream_on_the_slow_path_tells_what_translation_changed(tmp_path: Path) -> None:
    body = jsonx.encode(
        {
            "model": "m",
            "max_tokens": 9,
            "stream": True,
            "container": "c",
            "messages": [{"role": "user", "content": "hi"}],
        }
    )
    async with scene(tmp_path, stream_of(delta("more"), sleep(0.15), delta("last"))) as it:
        await it.post(body, path=b"/v1/messages")
        one, flight = await it.only()
    assert one.row.is_stream
    assert flight["upstream_request"][0]["protocol"] == "openai_chat"
    assert any("container" in note["path"] for note in flight["notes"])
    assert flight["gaps"]["chunks"] >= 2
    assert 0.1 < flight["gaps"]["longest_s"] < 5
    assert flight["gaps"]["buckets"][1][1] == 1


async def test_a_fail_over_is_told_attempt_by_attempt(tmp_path: Path) -> None:
    refusal = answer(b'{"error":{"message":"too much at once"}}', 503)
    async with scene(tmp_path, [refusal], [GOOD]) as it:
        await it.post(BODY)
        one, flight = await it.only()
    first, second = flight["attempts"]
    assert (first["status"], first["route"], first["error_kind"]) == (503, "up/m", "upstream_overloaded")
    assert "too much at once" in first["message"] + first["detail"]
    assert first["retry"] == "on to spare/m"
    assert (second["error_kind"], second["route"], second["retry"]) == ("", "spare/m", "")
    assert first["ended_s"] <= second["started_s"]
    assert [reply["status"] for reply in flight["upstream_reply"]] == [503, 200]
    assert (one.row.status, flight["error"]) == (200, None)


async def test_a_failure_keeps_its_flight_with_what_the_client_was_told(tmp_path: Path) -> None:
    async with scene(tmp_path, [close]) as it:
        got = await ask(it.port, request(BODY))
        one, flight = await it.only()
    assert got.status == one.row.status >= 500
    assert flight["error"]["message"] == got.json["error"]["message"]
    assert all(attempt["status"] is None and attempt["message"] for attempt in flight["attempts"])
    assert flight["upstream_reply"] == [None] * len(flight["attempts"])


async def test_a_request_that_was_refused_at_once_keeps_its_flight_too(tmp_path: Path) -> None:
    async with scene(tmp_path, [GOOD], recorder="contents = true") as it:
        await it.post(b'{"model":')
        one, flight = await it.only()
    assert (one.row.status, flight["attempts"], flight["client_request"]["body"]) == (400, [], '{"model":')
    assert flight["error"]["kind"] == "invalid_request"


async def test_a_stream_that_breaks_off_is_told_where_it_broke(tmp_path: Path) -> None:
    async with scene(tmp_path, [stream_head(), delta("first"), close], recorder="contents = true") as it:
        await it.post(STREAM_BODY)
        one, flight = await it.only()
    assert one.row.error_kind
    assert flight["attempts"][0]["error_kind"] == one.row.error_kind == flight["error"]["kind"]
    assert flight["attempts"][0]["first_content_s"] is not None
    assert "first" in flight["upstream_reply"][0]["body"]
    assert "error" in flight["client_reply"]["body"]


async def test_a_client_that_left_is_no_fault_of_the_attempt(tmp_path: Path) -> None:
    async with scene(tmp_path, [stream_head(), delta("first"), hang]) as it:
        client = await RawClient.connect(it.port)
        await client.send(request(STREAM_BODY))
        while b"first" not in await client.reader.read(65_536):
            pass
        client.close()
        one, flight = await it.only()
    assert (one.row.status, one.row.error_kind) == (499, "client_gone")
    assert flight["attempts"][0]["error_kind"] == "cancelled"


async def test_a_client_that_left_before_anything_came_is_told_too(tmp_path: Path) -> None:
    came = asyncio.Event()
    async with scene(tmp_path, [wait_for(came)]) as it:
        client = await RawClient.connect(it.port)
        await client.send(request(BODY))
        await it.upstream.got(1)
        client.close()
        one, flight = await it.only()
        came.set()
    assert one.row.status == 499
    assert (flight["attempts"][0]["status"], flight["attempts"][0]["error_kind"]) == (None, "cancelled")
    assert flight["client_reply"]["status"] is None


async def test_bodies_of_all_four_sides_are_kept_when_asked_for_and_cut_where_the_settings_say(tmp_path: Path) -> None:
    long = jsonx.encode({"model": "m", "messages": [{"role": "user", "content": "word, " * 1000}]})
    async with scene(tmp_path, [GOOD], recorder="contents = true\nmax_body_bytes = 2000") as it:
        await it.post(BODY)
        await it.post(long)
        first, second = (one.flight for one in await it.flights())
    assert first is not None
    assert second is not None
    assert jsonx.decode(first["client_request"]["body"])["seed"] == 5
    assert jsonx.decode(first["upstream_request"][0]["body"])["seed"] == 5
    assert "hello" in first["upstream_reply"][0]["body"]
    assert "hello" in first["client_reply"]["body"]
    assert not first["client_request"]["cut"]
    assert second["client_request"]["cut"]
    assert second["client_request"]["bytes"] == len(long)
    assert 1900 < len(second["client_request"]["body"]) <= 2000


async def test_where_it_is_switched_off_there_are_rows_alone(tmp_path: Path) -> None:
    async with scene(tmp_path, [GOOD], recorder="enabled = false") as it:
        await it.post(BODY)
        (one,) = await it.flights()
    assert (one.row.status, one.flight) == (200, None)


async def test_no_canary_is_in_the_ledger_or_the_logged_bodies_whatever_happened(tmp_path: Path) -> None:
    """I45: good, refused, broken off, translated and left requests, with all bodies kept and logged."""
    log = f'[logging]\nlevel = "debug"\nbodies = "{tmp_path / "bodies"}"\n'
    echo = f'{{"error":{{"message":"bad key {ACCOUNT_KEY} from {CLIENT_KEY}","api_key":"{EXTRA}"}}}}'.encode()
    scripts: list[Script] = [
        [GOOD],
        [answer(echo, 401)],
        [answer(echo, 400)],
        stream_of(delta(f"you said {IN_BODY}")),
        [stream_head(), delta("first"), close],
        [GOOD],
    ]
    secret_fields = BODY[:-1] + f',"user":"{CLIENT_KEY}","metadata":{{"password":"{EXTRA}"}}}}'.encode()
    async with scene(tmp_path, *scripts, recorder="contents = true", more=log) as it:
        for body in (BODY, secret_fields, secret_fields, BODY[:-1] + b',"stream":true}', STREAM_BODY):
            await it.post(body, *SECRETS)
        await it.post(b'{"contents":[]}', path=f"/v1beta/models/m:generateContent?key={COOKIE}".encode())
        await it.post(BODY.replace(b'"m"', f'"{IN_BODY}"'.encode()), *SECRETS)
        found = await it.flights()
    assert len(found) >= 6
    assert all(one.flight is not None and "broken" not in one.flight for one in found)
    told = b"".join(jsonx.encode(one.as_json()) for one in found).decode()
    assert [canary for canary in CANARIES if canary in told] == []
    assert "…4444" in told
    files = [each.read_text() for each in (tmp_path / "bodies").iterdir()]
    assert len(files) == len(found)
    assert [canary for canary in CANARIES if any(canary in text for text in files)] == []
    assert any("…4444" in text for text in files)


async def test_bodies_for_the_log_alone_are_not_in_the_ledger(tmp_path: Path) -> None:
    log = f'[logging]\nlevel = "debug"\nbodies = "{tmp_path / "bodies"}"\n'
    async with scene(tmp_path, [GOOD], more=log) as it:
        await it.post(BODY)
        one, flight = await it.only()
    assert flight["client_request"]["body"] is None
    saved = jsonx.decode((tmp_path / "bodies" / f"{one.row.request_id}.flight.json").read_bytes())
    assert jsonx.decode(saved["flight"]["client_request"]["body"])["seed"] == 5
    assert saved["row"]["id"] == one.row.request_id
