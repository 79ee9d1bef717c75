"""A snapshot is read whatever version wrote it."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.cli.watching.shape import Snapshot, read_snapshot
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.server.live import snapshot
from tests.support.shell import shell_state


async def test_what_a_server_of_this_version_says_is_understood() -> None:
    read = read_snapshot(jsonx.encode(snapshot(shell_state())))
    assert read.version
    assert len(read.history) == 60


def test_what_is_missing_or_new_does_not_matter() -> None:
    assert read_snapshot(b'{"tomorrow":[1]}') == Snapshot()
    assert read_snapshot(b'{"in_flight":[{"id":"req_1","mood":"good"}]}').in_flight[0].id == "req_1"


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"in_flight":1}', b'{"accounts":[null]}'])
def test_what_makes_no_sense_is_an_error(body: bytes) -> None:
    with pytest.raises(JsonError):
        read_snapshot(body)
