"""Bodies of the debug log as files."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections import UserDict
from collections.abc import ItemsView
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.gateway.flight import begun
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.body_log import BodyLog, tidy
from iflow_cli_proxy.state.ledger_row import Row


def row_of(exchange: Exchange) -> Row:
    return Row(request_id=exchange.request_id, at=1.0)


def exchange(name: str = "req_1", **flags: Any) -> Exchange:
    flight = begun("POST", "/v1/x", room_bytes=1000)
    flight.asked.add(b'{"api_key":"Zx9plain.words"}')
    flight.is_for_log = flags.get("is_for_log", True)
    return Exchange(request_id=name, protocol="openai_chat", started_at=0.0, flight=flight)


class HeldUp(UserDict[str, str]):
    """Headers that keep whoever reads them waiting."""

    def __init__(self, may_go_on: threading.Event) -> None:
        super().__init__()
        self._may_go_on = may_go_on

    def items(self) -> ItemsView[str, str]:
        assert self._may_go_on.wait(10)
        return super().items()


async def test_each_exchange_is_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "bodies"
    log = BodyLog(lambda: str(folder), row_of)
    for name in ("req_1", "req_2", "req_1"):
        log.note(exchange(name))
    await log.aclose()
    assert sorted(each.name for each in folder.iterdir()) == [
        "req_1-2.flight.json",
        "req_1.flight.json",
        "req_2.flight.json",
    ]
    told = jsonx.decode((folder / "req_1.flight.json").read_bytes())
    assert (told["format"], told["row"]["id"]) == ("iflow2api-flight", "req_1")
    assert told["flight"]["client_request"]["body"] == '{"api_key":"…ords"}'
    if os.name == "posix":
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_nothing_is_written_unless_it_was_wanted_when_the_request_came(tmp_path: Path) -> None:
    log = BodyLog(lambda: str(tmp_path / "bodies"), row_of)
    log.note(exchange(is_for_log=False))
    log.note(Exchange(request_id="req_1", protocol="openai_chat", started_at=0.0))
    await log.aclose()
    off = BodyLog(lambda: "", row_of)
    off.note(exchange())
    await off.aclose()
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_that_cannot_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    log = BodyLog(lambda: str(tmp_path / "file" / "bodies"), row_of)
    with caplog.at_level(logging.WARNING, "iflow2api.bodies"):
        for _ in range(3):
            log.note(exchange())
        await log.aclose()
    assert len(caplog.records) == 1


async def test_what_comes_too_fast_is_counted_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = BodyLog(lambda: str(tmp_path / "bodies"), row_of)
    held, may_go_on = exchange("req_0"), threading.Event()
    assert held.flight is not None
    held.flight.headers = HeldUp(may_go_on)
    with caplog.at_level(logging.WARNING, "iflow2api.bodies"):
        for one in (held, *(exchange(f"req_{number}") for number in range(1, 101))):
            log.note(one)
        may_go_on.set()
        await log.aclose()
    assert len([*(tmp_path / "bodies").iterdir()]) == 64
    assert [one.getMessage().rpartition(" ")[2] for one in caplog.records] == ["37"]


def test_the_oldest_files_go_and_others_are_left_alone(tmp_path: Path) -> None:
    for number in range(6):
        file = tmp_path / f"req_{number}.flight.json"
        file.write_bytes(b"x" * 100)
        os.utime(file, (number, number))
    (tmp_path / "notes.json").touch()
    tidy(tmp_path, most_files=4)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "notes.json",
        *(f"req_{n}.flight.json" for n in (2, 3, 4, 5)),
    ]
    tidy(tmp_path, most_bytes=250)
    assert sorted(each.name for each in tmp_path.glob("*.flight.json")) == ["req_4.flight.json", "req_5.flight.json"]
    tidy(tmp_path, most_bytes=1)
    assert [each.name for each in tmp_path.glob("*.flight.json")] == ["req_5.flight.json"], (
        "the newest stays however large it is"
    )
