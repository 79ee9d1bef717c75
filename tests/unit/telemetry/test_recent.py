from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import Sequence

import pytest

from iflow_cli_proxy.config.schema import LoggingSettings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.telemetry.formats import FIELDS, JsonFormatter
from iflow_cli_proxy.telemetry.logging import start_logging, stop_logging
from iflow_cli_proxy.telemetry.recent import Page, RecentLines


def record(message: str, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("iflow2api.x", level, "x.py", 1, message, None, None)
    setattr(made, FIELDS, fields)
    return made


def ring(*levels: int, most: int = 100) -> RecentLines:
    """One line for each level, named by its number."""
    lines = RecentLines(most)
    lines.write([record(str(number), level) for number, level in enumerate(levels, 1)])
    return lines


def numbers(page: Page) -> list[int]:
    return [line["seq"] for line in page.lines]


def test_a_line_holds_what_the_json_line_holds_and_its_number() -> None:
    lines = RecentLines()
    shown = record("key sk-abcdefghijklmnop\nforged", request_id="r1", ms=1.5, none=None)
    lines.write([shown])

    (line,) = lines.after().lines

    assert line == {"seq": 1, **jsonx.decode(JsonFormatter().format(shown).encode())}
    assert line["request_id"] == "r1"
    assert "abcdefgh" not in repr(line)
    assert "\n" not in line["message"]


def test_a_field_of_any_kind_can_be_sent_on_and_holds_no_secret() -> None:
    lines = RecentLines()
    lines.write([record("x", things=["sk-abcdefghijklmnop"], odd=object(), flag=True)])

    (line,) = lines.after().lines

    assert "abcdefgh" not in jsonx.encode(line).decode()
    assert line["flag"] is True


def test_a_line_that_cannot_be_shown_does_not_silence_the_others() -> None:
    lines = RecentLines()
    lines.write([logging.LogRecord("x", logging.INFO, "x.py", 7, "%d", ("no number",), None), record("good")])

    assert [line["message"] for line in lines.after().lines] == [
        "a log line of x.py:7 cannot be shown: TypeError",
        "good",
    ]


def test_only_the_newest_are_kept_and_their_numbers_go_on() -> None:
    lines = ring(*[logging.INFO] * 25, most=10)

    assert numbers(lines.after()) == list(range(16, 26))
    assert numbers(lines.after(3)) == list(range(16, 26))
    assert numbers(lines.after(24)) == [25]
    assert numbers(lines.after(25)) == []


def test_a_first_look_shows_the_newest_and_later_ones_miss_nothing() -> None:
    lines = ring(*[logging.INFO] * 10)

    first = lines.after(limit=3)
    assert (numbers(first), first.next) == ([8, 9, 10], 10)

    lines.write([record("more")] * 5)
    second = lines.after(first.next, limit=3)
    third = lines.after(second.next, limit=3)
    assert numbers(second) + numbers(third) == [11, 12, 13, 14, 15]
    assert numbers(lines.after(third.next)) == []


def test_lines_of_a_lower_level_are_left_out_and_not_asked_for_again() -> None:
    lines = ring(logging.ERROR, logging.DEBUG, logging.WARNING, logging.INFO)

    assert numbers(lines.after(level="warning")) == [1, 3]
    assert numbers(lines.after(1, level="warning")) == [3]
    assert lines.after(1, level="error").next == 4
    assert numbers(lines.after(level="warning", limit=1)) == [3]


@pytest.mark.parametrize("seq", [-1, 99])
def test_a_number_of_another_process_begins_anew(seq: int) -> None:
    assert numbers(ring(*[logging.INFO] * 3).after(seq)) == [1, 2, 3]


def test_lines_a_stranger_can_make_long_are_cut() -> None:
    lines = RecentLines()
    lines.write([record("m" * 10_000, model="n" * 10_000)])

    assert len(jsonx.encode(lines.after().lines[0])) < 5000


async def test_the_loop_learns_of_lines_from_another_thread_until_it_ends_that() -> None:
    lines, came = RecentLines(), asyncio.Event()
    threads: list[int] = []

    def listener() -> None:
        threads.append(threading.get_ident())
        came.set()

    end = lines.subscribe(listener)
    await asyncio.to_thread(lines.write, [record("1"), record("2")])
    await asyncio.wait_for(came.wait(), 5)
    end()
    end()
    await asyncio.to_thread(lines.write, [record("3")])
    await asyncio.sleep(0)

    assert threads == [threading.get_ident()]


def test_a_loop_that_has_ended_harms_nobody() -> None:
    lines = RecentLines()

    async def subscribe() -> None:
        lines.subscribe(lambda: None)

    asyncio.run(subscribe())
    lines.write([record("x")])

    assert numbers(lines.after()) == [1]


def test_readers_and_the_writer_do_not_disturb_each_other() -> None:
    lines, seen = RecentLines(50), list[Sequence[int]]()

    def read() -> None:
        for _ in range(300):
            seen.append(numbers(lines.after()))

    reader = threading.Thread(target=read)
    reader.start()
    while reader.is_alive():
        lines.write([record("x")] * 7)
    reader.join()

    assert all(list(page) == list(range(page[0], page[0] + len(page))) for page in seen if page)


def test_the_log_that_is_started_keeps_them() -> None:
    handler = start_logging(LoggingSettings(level="info"), io.StringIO())
    try:
        logging.getLogger("iflow2api.test").debug("small talk")
        logging.getLogger("iflow2api.test").info("hello")
    finally:
        stop_logging(handler)
        logging.getLogger("iflow2api").propagate = True
        logging.getLogger("iflow2api").setLevel(logging.NOTSET)

    assert [line["message"] for line in handler.recent.after().lines] == ["hello"]
