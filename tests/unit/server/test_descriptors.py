from __future__ import annotations

import asyncio
import errno
import resource
from collections.abc import Iterator
from typing import Any

import pytest

from iflow_cli_proxy.server.descriptors import QuietAccepts, connection_room, raise_descriptor_limit

FAILED_ACCEPT = {"message": "socket.accept() out of system resource", "exception": OSError(errno.EMFILE, "no more")}


@pytest.fixture
def hard() -> Iterator[int]:
    """The hard limit; the soft one may be changed and is put back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_half_of_the_descriptors_are_for_clients(hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    assert connection_room() == (256 - 64) // 2


def test_the_limit_is_raised_as_far_as_the_system_allows(hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    raise_descriptor_limit()

    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == (65_536 if hard < 0 else min(65_536, hard))


def test_a_limit_that_is_higher_already_stays(hard: int) -> None:
    raise_descriptor_limit()
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    raise_descriptor_limit()

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


async def test_a_thousand_failed_accepts_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    quiet = QuietAccepts(asyncio.get_running_loop())
    for _ in range(1000):
        asyncio.get_running_loop().call_exception_handler(dict(FAILED_ACCEPT))
    quiet.remove()

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no more" in caplog.text


async def test_other_trouble_goes_where_it_went_before(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    seen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: seen.append(context))
    quiet = QuietAccepts(loop)
    loop.call_exception_handler({"message": "something else"})
    quiet.remove()
    loop.call_exception_handler(dict(FAILED_ACCEPT))

    assert [context["message"] for context in seen] == ["something else", FAILED_ACCEPT["message"]]
    assert not caplog.records


async def test_without_a_handler_before_asyncio_reports_other_trouble(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    quiet = QuietAccepts(loop)
    loop.call_exception_handler({"message": "something else"})
    quiet.remove()

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert loop.get_exception_handler() is None
