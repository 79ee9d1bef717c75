"""The log: one thread writes it from a bounded queue, so that a slow or full disk never slows a request (F59).

Lines that find the queue full are dropped and counted, and the count is logged. Warnings of the libraries below us
take the same way, so that they are masked and kept on one line too.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TextIO

from iflow_cli_proxy.config.schema import LoggingSettings
from iflow_cli_proxy.telemetry.formats import HumanFormatter, JsonFormatter, note_request
from iflow_cli_proxy.telemetry.recent import RecentLines
from iflow_cli_proxy.telemetry.request import REQUEST_ID
from iflow_cli_proxy.telemetry.targets import NAME, FileSink, StreamSink, Target, note_of_loss

_MOST_WAITING: Final = 10_000
_MOST_AT_ONCE: Final = 256
_BATCH_S: Final = 0.05
_LAST_LINES_S: Final = 0.5
"""For how long a log that does not move may hold up the end of the process."""


class BackgroundHandler(logging.Handler):
    """Takes records at once; a thread formats and writes them in batches to each target."""

    def __init__(self, targets: Iterable[Target]) -> None:
        super().__init__()
        self.dropped = 0
        """Since the last line that told of it."""
        self.recent = RecentLines()
        """The last lines, for whoever asks the running process."""
        self._dropped_in_all = 0
        self._targets = tuple(targets)
        self._waiting: deque[logging.LogRecord] = deque()
        self._wake = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def lost_in_all(self) -> int:
        """Lines that some target never got: none was free to take them, or it could not write."""
        return self._dropped_in_all + sum(target.lost_in_all for target in self._targets)

    def handle(self, record: logging.LogRecord) -> bool:
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
            self._dropped_in_all += 1
            return False
        note_request(record, REQUEST_ID.get())  # here: the writer's thread serves nobody
        self._waiting.append(record)
        if not self._wake.is_set():
            self._wake.set()
        return True

    def close(self) -> None:
        """Write what is waiting, unless that takes too long. Idempotent."""
        if self._is_closing:
            return
        self._is_closing = True
        self._wake.set()
        self._thread.join(timeout=_LAST_LINES_S)
        super().close()

    def _run(self) -> None:
        while not self._is_closing:
            self._wake.wait()
            if not self._is_closing:
                time.sleep(_BATCH_S)  # let a batch gather
            self._wake.clear()
            self._write_waiting()
        self._write_waiting()
        for target in self._targets:
            target.close()

    def _write_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
            dropped, self.dropped = self.dropped, 0
            if dropped:
                batch.append(note_of_loss(dropped))
            self.recent.write(batch)
            for target in self._targets:
                target.write(batch)


def start_logging(settings: LoggingSettings, stream: TextIO | None = None) -> BackgroundHandler:
    """Send the log to `stream` (standard error) and to the configured file; `stop_logging` ends it.

    Raises:
        ConfigError: the file cannot be opened.
    """
    stream = stream or sys.stderr
    is_human = settings.format == "human" or (settings.format == "auto" and stream.isatty())
    human = HumanFormatter(has_colours=_has_colours(stream))
    targets = [Target(StreamSink(stream), human if is_human else JsonFormatter())]
    if settings.file:
        sink = FileSink(Path(settings.file), max_bytes=settings.max_bytes, keep=settings.files)
        targets.append(Target(sink, JsonFormatter()))
    # No line of ours names its thread, process or task, and finding them out costs a third of a record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = BackgroundHandler(targets)
    set_level(settings)
    house = logging.getLogger(NAME)
    house.propagate = False
    house.addHandler(handler)
    logging.getLogger().addHandler(handler)
    return handler


def _has_colours(stream: TextIO) -> bool:
    """As https://no-color.org has it."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def set_level(settings: LoggingSettings) -> None:
    """Take up another level while running."""
    logging.getLogger(NAME).setLevel(settings.level.upper())


def stop_logging(handler: BackgroundHandler) -> None:
    """Write the last lines and let go."""
    logging.getLogger(NAME).removeHandler(handler)
    logging.getLogger().removeHandler(handler)
    handler.close()
