from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from iflow_cli_proxy.config.schema import LoggingSettings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.telemetry.formats import FIELDS
from iflow_cli_proxy.telemetry.logging import start_logging, stop_logging
from iflow_cli_proxy.telemetry.request import REQUEST_ID

LOG = logging.getLogger("iflow2api.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The whole log, once the test has called `lines`."""
    yield io.StringIO()
    logging.getLogger("iflow2api").propagate = True
    logging.getLogger("iflow2api").setLevel(logging.NOTSET)


def serve(stream: io.StringIO, *requests: str) -> list[dict[str, Any]]:
    """Each request logs by itself, in a task beside it and in a thread; then the lines."""

    async def one(name: str) -> None:
        REQUEST_ID.set(name)
        LOG.info("itself %s", name)
        await asyncio.create_task(beside(name))
        await asyncio.to_thread(LOG.info, "thread %s", name)

    async def beside(name: str) -> None:
        await asyncio.sleep(0)
        LOG.info("task %s", name)

    async def everyone() -> None:
        await asyncio.gather(*map(one, requests))
        LOG.info("nobody")

    handler = start_logging(LoggingSettings(format="json"), stream)
    try:
        asyncio.run(everyone())
    finally:
        stop_logging(handler)
    return [jsonx.decode(line.encode()) for line in stream.getvalue().splitlines()]


def test_whatever_is_logged_for_a_request_carries_its_id(stream: io.StringIO) -> None:
    lines = serve(stream, "r1", "r2", "r3")

    of_requests = [line for line in lines if line["message"] != "nobody"]
    assert len(of_requests) == 9
    assert all(line["message"].endswith(line["request_id"]) for line in of_requests)
    assert "request_id" not in lines[-1]


def test_an_id_that_the_line_names_itself_stays(stream: io.StringIO) -> None:
    handler = start_logging(LoggingSettings(format="human"), stream)
    before = REQUEST_ID.set("outer")
    LOG.info("hello", extra={FIELDS: {"request_id": "own"}})
    REQUEST_ID.reset(before)
    stop_logging(handler)

    assert stream.getvalue().endswith("hello request_id=own\n")
