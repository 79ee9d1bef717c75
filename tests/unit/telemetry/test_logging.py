from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from iflow_cli_proxy.config.schema import LoggingSettings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.telemetry import logging as telemetry
from iflow_cli_proxy.telemetry.logging import BackgroundHandler, set_level, start_logging, stop_logging
from iflow_cli_proxy.telemetry.targets import StreamSink, Target

HOUSE = logging.getLogger("iflow2api.test")


@contextmanager
def logging_to(stream: io.StringIO, **settings: object) -> Iterator[BackgroundHandler]:
    handler = start_logging(LoggingSettings(**settings), stream)  # type: ignore[arg-type]
    try:
        yield handler
    finally:
        stop_logging(handler)
        logging.getLogger("iflow2api").propagate = True
        logging.getLogger("iflow2api").setLevel(logging.NOTSET)


class Slow(Target):
    """Stands still until it is let go."""

    def __init__(self) -> None:
        super().__init__(StreamSink(io.StringIO()), logging.Formatter())
        self.go_on = threading.Event()
        self.taken: list[str] = []

    def write(self, records: Sequence[logging.LogRecord]) -> None:
        self.go_on.wait()
        self.taken += [record.getMessage() for record in records]

    def close(self) -> None:
        return


def test_lines_arrive_in_order_and_all_of_them_before_the_end() -> None:
    stream = io.StringIO()
    with logging_to(stream, format="human"):
        for number in range(1000):
            HOUSE.info("line %d", number)

    assert [int(line.rpartition(" ")[2]) for line in stream.getvalue().splitlines()] == list(range(1000))


def test_the_level_and_the_formats_are_those_of_the_settings(tmp_path: Path) -> None:
    stream, file = io.StringIO(), tmp_path / "x.log"
    with logging_to(stream, level="warning", format="human", file=str(file)):
        HOUSE.info("small talk")
        HOUSE.warning("trouble")

    assert stream.getvalue().endswith("WARNING trouble\n")
    assert file.read_text().endswith('"level":"warning","message":"trouble"}\n')
    assert "small talk" not in stream.getvalue() + file.read_text()


def test_the_level_may_change_while_running() -> None:
    stream = io.StringIO()
    with logging_to(stream, level="warning"):
        HOUSE.info("before")
        set_level(LoggingSettings(level="info"))
        HOUSE.info("after")

    assert "before" not in stream.getvalue()
    assert "after" in stream.getvalue()


def test_a_stream_that_is_no_terminal_gets_json() -> None:
    stream = io.StringIO()
    with logging_to(stream):
        HOUSE.info("hello")

    assert stream.getvalue().startswith('{"time":')


def test_warnings_of_libraries_are_masked_and_kept_on_one_line_too() -> None:
    stream = io.StringIO()
    with logging_to(stream, format="human"):
        logging.getLogger("asyncio").error("task failed\nwith Bearer abcdefghijkl0123")
        logging.getLogger("asyncio").debug("chatter")

    assert len(stream.getvalue().splitlines()) == 1
    assert "abcdefgh" not in stream.getvalue()


def test_a_line_never_waits_and_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_MOST_WAITING", 100)
    slow = Slow()
    handler = BackgroundHandler([slow])
    began = time.perf_counter()
    for number in range(5000):
        handler.handle(logging.LogRecord("x", logging.INFO, "", 0, str(number), None, None))
    assert time.perf_counter() - began < 1.0

    slow.go_on.set()
    handler.close()

    lost = [line for line in slow.taken if "log lines were lost" in line]
    assert len(lost) == 1
    assert len(slow.taken) - 1 + int(lost[0].split()[0]) == 5000


def test_a_log_that_stands_still_does_not_hold_up_the_end() -> None:
    slow = Slow()
    handler = BackgroundHandler([slow])
    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "text", None, None))
    began = time.perf_counter()

    handler.close()
    handler.close()

    assert time.perf_counter() - began < 0.9
    slow.go_on.set()


def test_a_file_that_cannot_be_opened_leaves_no_trace() -> None:
    before = list(logging.getLogger("iflow2api").handlers)

    with pytest.raises(ConfigError):
        start_logging(LoggingSettings(file="/dev/null/x.log"), io.StringIO())

    assert logging.getLogger("iflow2api").handlers == before


def test_lines_that_nobody_got_are_counted_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_MOST_WAITING", 10)
    slow = Slow()
    handler = BackgroundHandler([slow])
    for number in range(50):
        handler.handle(logging.LogRecord("x", logging.INFO, "", 0, str(number), None, None))
    lost = handler.lost_in_all
    slow.go_on.set()
    handler.close()

    assert lost >= 30
    assert handler.lost_in_all == lost
    assert handler.dropped == 0


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "is_coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({}, False), ({"TERM": "xterm", "NO_COLOR": "1"}, False)],
)
def test_only_a_screen_with_colours_gets_some(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], is_coloured: bool
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    screen = Screen()
    with logging_to(screen):
        HOUSE.warning("trouble")

    assert ("\x1b" in screen.getvalue()) is is_coloured
    assert "trouble" in screen.getvalue()
