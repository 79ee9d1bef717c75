"""What the log holds, and what it must never hold or cost (RELIABILITY I44, I45, F59, F64)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.gateway.record import Exchange
from tests.support.chat_stream import MODELS, get, request
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY, front_door
from tests.support.raw_client import RawClient, ask, talk
from tests.support.raw_upstream import LAST_CHUNK, RawUpstream, answer, event, reset, stream_head
from tests.support.serving import THIS_PYTHON, serving, surroundings

CLIENT_KEY: Final = "team-key-of-no-usual-shape"
UPSTREAM_KEY: Final = "upstream.key.of.no.usual.shape"
STRANGE_KEY: Final = "sk-somebody-elses-0123456789"
QUERY_KEY: Final = "key-from-the-query-0123456789"
PASSWORD: Final = "proxy-pass-word"
SECRETS: Final = (CLIENT_KEY, UPSTREAM_KEY, STRANGE_KEY, QUERY_KEY, PASSWORD)

LOUD_ERROR: Final = answer(
    b'{"error":{"message":"Invalid key %b, sent with Authorization: Bearer %b to http://u:%b@10.0.0.7/v1\\n\\u001b[31mERROR'
    b' forged line","type":"invalid_request_error"}}'
    % (UPSTREAM_KEY.encode(), UPSTREAM_KEY.encode(), PASSWORD.encode()),
    400,
)
LOUD_STREAM: Final = [
    stream_head(),
    event('{"choices":[{"index":0,"delta":{"content":"word"},"finish_reason":null}]}'),
    event(jsonx.encode({"error": {"message": f"Invalid key {UPSTREAM_KEY}", "code": 400}}).decode()),
    LAST_CHUNK,
]


async def streamed(port: int, data: bytes) -> bytes:
    """A whole answer in chunks, head and all."""
    client = await RawClient.connect(port)
    try:
        await client.send(data)
        # With the end of the line before it: a request id may end in the same letters.
        return await client.rest_of_answer(b"\r\n" + LAST_CHUNK)
    finally:
        client.close()


async def test_a_whole_debug_run_shows_no_secret(tmp_path: Path) -> None:
    """I45: standard output and error, the log file, the ready file and every answer are searched."""
    log_file = tmp_path / "gateway.log"
    env = {
        "IFLOW2API_CLIENT_KEY": CLIENT_KEY,
        "IFLOW2API_AUTH_REQUIRED": "always",
        "IFLOW2API_UPSTREAM_API_KEY": UPSTREAM_KEY,
        "IFLOW2API_LOGGING_LEVEL": "debug",
        "IFLOW2API_LOGGING_FILE": str(log_file),
        "PYTHONASYNCIODEBUG": "1",
    }
    good, query = b"Authorization: Bearer " + CLIENT_KEY.encode(), QUERY_KEY.encode()
    async with RawUpstream([answer(MODELS)], [GOOD_ANSWER], [LOUD_ERROR], LOUD_STREAM, [reset]) as upstream:
        with serving("--upstream", f"{upstream.url}/v1", home=tmp_path, env=env) as running:
            port = int(running.url.rpartition(":")[2])
            await upstream.got(1)
            answers = [
                await ask(port, request(GOOD_BODY, good)),
                await ask(port, request(GOOD_BODY, good)),
            ]
            broken_off = await streamed(port, request(GOOD_BODY[:-1] + b',"stream":true}', good))
            answers += [
                await ask(port, request(GOOD_BODY, good)),
                await ask(port, request(GOOD_BODY, b"x-api-key: " + STRANGE_KEY.encode())),
                await ask(port, request(GOOD_BODY, good, path=b"/v1/chat/completions?key=" + query)),
                await ask(port, request(GOOD_BODY, path=b"/v1/chat/completions?key=" + query)),
                await ask(port, request(GOOD_BODY, good, path=b"/v1/" + STRANGE_KEY.encode())),
                await ask(port, request(b'{"model":"m",', good)),
                await ask(port, request(b'{"model":"m","api_key":"%b"}' % STRANGE_KEY.encode(), good)),
                await ask(port, get(b"/v1/models/" + STRANGE_KEY.encode())),
                *await talk(port, b"GET /%b HTTP/1.1\nAuthorization: Bearer %b\r\n\r\n" % (query, CLIENT_KEY.encode())),
                *await talk(port, b"%b\r\n\r\n" % CLIENT_KEY.encode()),
            ]
            running.process.send_signal(signal.SIGHUP)
            running.process.terminate()
            assert await asyncio.to_thread(running.process.wait) == 0
        said = [running.log.read_text(), log_file.read_text(), (tmp_path / "ready.json").read_text()]
    said += [repr((one.headers, one.body)) for one in answers] + [repr(broken_off)]

    assert {one.status for one in answers} >= {200, 400, 401, 404, 502}
    assert b"Invalid key [secret]" in answers[1].body
    assert b"Invalid key [secret]" in broken_off
    assert said[1].count('"level":"info"') >= 8
    for secret in SECRETS:
        assert [text for text in said if secret in text] == []
    assert upstream.requests[1].header("authorization") == f"Bearer {UPSTREAM_KEY}"


FORGERY: Final = "\r\nINFO forged\x1b[31m\u2028\u202eline\ud800"


@pytest.mark.parametrize(
    "data",
    [
        request(GOOD_BODY, path=b"/v1/%0d%0aINFO%20forged%1b[31m%e2%80%a8x%ff"),
        request(GOOD_BODY, b"x-request-id: a\x0bINFO forged"),
        request(GOOD_BODY, b"x-request-id: \xe2\x80\xa8INFO forged"),
        request(GOOD_BODY, b"User-Agent: \x1b[31mINFO forged\xff"),
        request(b'{"model":"m\\r\\nINFO forged","messages":[]}'),
        request(b'{"model":"m","messages":[],"\\u001b[31mINFO forged\\r\\n":[[NaN]]}'),
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX\x1b: INFO forged\r\n\r\n",
        b"INFO forged\x1b[31m\r\n\r\n",
        request(GOOD_BODY),
    ],
    ids=["path", "id", "id beyond ASCII", "agent", "model", "field name", "header name", "no HTTP", "upstream's words"],
)
async def test_nothing_a_stranger_says_begins_a_line_or_colours_one(tmp_path: Path, data: bytes) -> None:
    """I44, in both formats."""
    log_file = tmp_path / "gateway.log"
    env = {
        "IFLOW2API_LOGGING_LEVEL": "debug",
        "IFLOW2API_LOGGING_FORMAT": "human",
        "IFLOW2API_LOGGING_FILE": str(log_file),
    }
    async with RawUpstream([answer(MODELS)], [LOUD_ERROR]) as upstream:
        with serving("--upstream", f"{upstream.url}/v1", "--quiet", home=tmp_path, env=env) as running:
            await upstream.got(1)
            await ask(int(running.url.rpartition(":")[2]), data)
        human, lines = running.log.read_text(), log_file.read_bytes().splitlines()

    for text in (human, log_file.read_text()):
        assert "\x1b" not in text
        assert "\r" not in text
        assert "\u2028" not in text
    assert not any(line.startswith("INFO forged") for line in human.splitlines())
    assert all(set(jsonx.decode(line)) >= {"time", "level", "message"} for line in lines)
    assert human.count("stopping") == 1


def unwritable(kind: str, tmp_path: Path) -> tuple[int, list[int]]:
    """A descriptor for standard error that fails in some way, and what to close afterwards."""
    if kind == "full disk":
        full = os.open("/dev/full", os.O_WRONLY)
        return full, [full]
    read_end, write_end = os.pipe()
    if kind == "closed pipe":
        os.close(read_end)
        return write_end, [write_end]
    return write_end, [read_end, write_end]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("kind", ["full disk", "closed pipe", "pipe nobody reads"])
async def test_a_log_that_cannot_be_written_harms_nobody(tmp_path: Path, kind: str) -> None:
    """F59: requests are answered as fast as ever, and the process leaves with 0."""
    stderr, to_close = unwritable(kind, tmp_path)
    ready = tmp_path / "ready.json"
    async with RawUpstream([answer(MODELS)], [GOOD_ANSWER]) as upstream:
        flags = ["--upstream", f"{upstream.url}/v1", "--port", "0", "--ready-file", str(ready)]
        env = surroundings(tmp_path, {"IFLOW2API_LOGGING_LEVEL": "debug"})
        process = subprocess.Popen(  # noqa: ASYNC220 -- it only forks; the process is waited for in a thread
            [*THIS_PYTHON, "serve", *flags], env=env, stderr=stderr, stdout=subprocess.DEVNULL
        )
        try:
            while not ready.exists():
                assert process.poll() is None
                await asyncio.sleep(0.02)
            port = int(jsonx.decode(ready.read_bytes())["port"])
            began = time.monotonic()
            statuses = {(await ask(port, request(GOOD_BODY))).status for _ in range(400)}
            assert statuses == {200}
            assert time.monotonic() - began < 5.0
            process.terminate()
            assert await asyncio.to_thread(process.wait, 5.0) == 0
        finally:
            process.kill()
            process.wait()
            for descriptor in to_close:
                os.close(descriptor)


async def test_an_observer_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """F64."""
    seen: list[Exchange] = []

    def fail(exchange: Exchange) -> None:
        raise RuntimeError("a plugin's bug")

    async with front_door() as door:
        door.server.state.observers += [fail, seen.append]

        answers = [await ask(door.port, request(GOOD_BODY)) for _ in range(3)]

        assert [one.status for one in answers] == [200, 200, 200]
        assert len(seen) == 3
    assert "an observer of exchanges failed" in caplog.text


def test_the_log_file_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    code = (
        "import os; os.umask(0)\n"
        "from iflow_cli_proxy.config.schema import LoggingSettings\n"
        "from iflow_cli_proxy.telemetry.logging import start_logging, stop_logging\n"
        "stop_logging(start_logging(LoggingSettings(file='x.log')))"
    )

    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)

    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o600


def fields_of(lines: Sequence[str], word: str) -> list[dict[str, Any]]:
    return [jsonx.decode(line) for line in lines if word in line]


async def test_one_request_is_one_line_that_says_how_it_went(tmp_path: Path) -> None:
    async with RawUpstream([answer(MODELS)], [GOOD_ANSWER], [LOUD_ERROR]) as upstream:
        with serving("--upstream", f"{upstream.url}/v1", "--quiet", home=tmp_path) as running:
            await upstream.got(1)
            port = int(running.url.rpartition(":")[2])
            good = await ask(port, request(GOOD_BODY, b"x-request-id: mine-1"))
            await ask(port, request(GOOD_BODY))
            await ask(port, get(b"/nothing"))
        lines = running.log.read_text().splitlines()

    found = fields_of(lines, "POST /v1/chat/completions")
    assert good.headers["x-request-id"] == "mine-1"
    assert found[0].items() >= {"request_id": "mine-1", "model": "m", "route": "upstream/m", "attempts": 1}.items()
    assert found[0]["message"].endswith(" 200")
    assert found[1]["message"].endswith(" 400")
    assert found[1]["error"] == "upstream_rejected"
    assert fields_of(lines, "/nothing")[0]["error"] == "not_found"


async def test_a_request_that_is_no_request_is_found_by_the_id_of_its_answer(tmp_path: Path) -> None:
    env = {"IFLOW2API_LOGGING_LEVEL": "debug"}
    async with RawUpstream([answer(MODELS)]) as upstream:
        with serving("--upstream", f"{upstream.url}/v1", "--quiet", home=tmp_path, env=env) as running:
            await upstream.got(1)
            port = int(running.url.rpartition(":")[2])
            refused = [(await talk(port, data))[0] for data in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n")]
        lines = running.log.read_text().splitlines()

    found = {line.get("request_id") for line in fields_of(lines, "refused a request")}
    assert {one.headers["x-request-id"] for one in refused} == found


async def test_a_debug_log_tells_what_became_of_each_request(tmp_path: Path) -> None:
    """Route, each attempt and how it failed, under the id of the request; no word of what was said."""
    busy = answer(b'{"error":{"message":"too busy just now"}}', 503)
    env = {"IFLOW2API_LOGGING_LEVEL": "debug", "IFLOW2API_RESILIENCE_RETRY_BACKOFF_MS": "0"}
    async with RawUpstream([answer(MODELS)], [busy], [GOOD_ANSWER]) as upstream:
        with serving("--upstream", f"{upstream.url}/v1", "--quiet", home=tmp_path, env=env) as running:
            await upstream.got(1)
            port = int(running.url.rpartition(":")[2])
            assert (await ask(port, request(GOOD_BODY, b"x-request-id: mine-1"))).status == 200
        lines = running.log.read_text().splitlines()

    told = [line["message"] for line in fields_of(lines, "mine-1")]
    assert told[:2] == ["asked for m: upstream/m", "attempt 1: upstream/m as upstream"]
    assert told[2].startswith("attempt 1 failed: upstream_overloaded: ")
    assert told[-3] == "attempt 2: upstream/m as upstream"
    assert told[-2].startswith("the answer begins with status 200 after ")
    assert told[-1] == "POST /v1/chat/completions 200"
    assert not [line for line in lines if '"hi"' in line or "hello" in line]
