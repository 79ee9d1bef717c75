"""A gateway that was stopped and continued, as a laptop that slept (RELIABILITY F65, F57): nothing is sent twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.chat_stream import DONE, MODELS, WHOLE, get, request, stream_of
from tests.support.front_door import GOOD_ANSWER, GOOD_BODY
from tests.support.raw_client import Dial, ask
from tests.support.raw_upstream import RawUpstream, answer, hang, sleep
from tests.support.serving import Running, serving

ASLEEP_S = 1.0
pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no SIGSTOP there")


@contextmanager
def gateway(upstream: RawUpstream, home: Path, **limits: str) -> Iterator[tuple[Running, int]]:
    env = {f"IFLOW2API_{name.upper()}": value for name, value in limits.items()}
    with serving("--upstream", f"{upstream.url}/v1", "--quiet", home=home, env=env) as running:
        yield running, int(running.url.rpartition(":")[2])


async def suspend(running: Running) -> None:
    running.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(ASLEEP_S)
    running.process.send_signal(signal.SIGCONT)


async def test_a_stream_goes_on_where_it_was(tmp_path: Path, dial: Dial) -> None:
    async with RawUpstream([answer(MODELS)], stream_of(sleep(ASLEEP_S + 0.5))) as upstream:
        with gateway(upstream, tmp_path, server_keepalive_s="0.2", upstream_idle_timeout_s="5") as (running, port):
            await upstream.got(1)
            client = await dial(port)
            await client.send(request())
            await client.reader.readuntil(b"first")

            await suspend(running)

            rest = await client.rest_of_answer(WHOLE)
            assert DONE in rest
            assert b"error" not in rest
            assert rest.count(b": ping") <= 5  # those of the sleep are not made up for
            assert len(upstream.requests) == 2


async def test_limits_that_ran_out_meanwhile_end_requests_and_repeat_none(tmp_path: Path, dial: Dial) -> None:
    async with RawUpstream([answer(MODELS)], [hang], [hang], [hang], [GOOD_ANSWER]) as upstream:
        with gateway(upstream, tmp_path, upstream_first_byte_timeout_s="0.5") as (running, port):
            await upstream.got(1)
            clients = [await dial(port) for _ in range(3)]
            for client in clients:
                await client.send(request(GOOD_BODY))
            await upstream.got(4)

            await suspend(running)

            assert [(await client.answer()).status for client in clients] == [504, 504, 504]
            assert len(upstream.requests) == 4
            assert (await ask(port, request(GOOD_BODY))).status == 200
            assert (await ask(port, get(b"/health"))).status == 200
