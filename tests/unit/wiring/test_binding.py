from __future__ import annotations

import errno
import os
import socket

import pytest

from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.wiring import binding
from iflow_cli_proxy.wiring.binding import bind, resolve, url_of


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


async def test_an_address_that_cannot_be_had_leaves_nothing_open_on_the_others(free_port: int) -> None:
    with pytest.raises(ConfigError, match="is taken"):
        await bind([(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.1")], free_port)

    (sock,) = await bind([(socket.AF_INET, "127.0.0.1")], free_port)
    sock.close()


async def test_an_address_this_machine_lacks_is_passed_over_when_there_is_another(free_port: int) -> None:
    (sock,) = await bind([(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "192.0.2.1")], free_port)

    assert sock.getsockname() == ("127.0.0.1", free_port)
    sock.close()


@pytest.mark.parametrize(("number", "words"), [(errno.EACCES, "may not listen"), (errno.ENOBUFS, "Cannot listen")])
def test_every_other_reason_has_words_and_a_way_out(number: int, words: str) -> None:
    error = binding._explained(OSError(number, os.strerror(number)), socket.AF_INET, "127.0.0.1", 80)

    assert words in error.message
    assert error.hint


async def test_a_name_that_nobody_knows_is_explained() -> None:
    with pytest.raises(ConfigError) as caught:
        await resolve("no-such-host.invalid")

    assert caught.value.param == "server.host"


async def test_a_literal_is_its_own_address_with_or_without_brackets() -> None:
    assert await resolve("127.0.0.1") == [(socket.AF_INET, "127.0.0.1")]
    assert await resolve("[::1]") == await resolve("::1")


def test_where_all_addresses_are_listened_on_loopback_is_called() -> None:
    assert url_of("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert url_of("::", 80) == "http://[::1]:80"
