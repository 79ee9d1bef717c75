"""Log lines: written by one thread from a bounded queue, so that a slow or full disk never slows a request.

Human lines for a terminal, JSON lines for machines; one record is one line whatever is in it (I44), and whatever looks
like a credential is masked (I45). When the queue is full lines are dropped and counted, and the count is logged.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from typing import IO, Final

from iflow_cli_proxy.config.schema import LoggingSettings
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.telemetry.redact import one_line, redact

ROOT: Final = "iflow2api"
_MOST_WAITING: Final = 10_000
_BATCH_S: Final = 0.05
FIELDS: Final = "fields"
"""`extra={"fields": {...}}`: what a JSON line holds besides the message."""


class HumanFormatter(logging.Formatter):
    """`12:30:05 INFO  message key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = getattr(record, FIELDS, None) or {}
        tail = "".join(f" {name}={value}" for name, value in fields.items() if value not in (None, ""))
        return one_line(redact(f"{at} {record.levelname:<7} {record.getMessage()}{tail}{_trouble(record)}"))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `message`, and the record's fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": redact(record.getMessage() + _trouble(record)),
        }
        for name, value in (getattr(record, FIELDS, None) or {}).items():
            line.setdefault(name, redact(value) if isinstance(value, str) else value)
        return one_line(jsonx.encode(line).decode())


def _trouble(record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    return " | " + logging.Formatter().formatException(record.exc_info)


class BackgroundHandler(logging.Handler):
    """Takes records at once; a thread formats and writes them in batches to each target."""

    def __init__(self, targets: Iterable[logging.Handler]) -> None:
        super().__init__()
        self._targets = tuple(targets)
        self._waiting: deque[logging.LogRecord] = deque()
        self._wake = threading.Event()
        self._is_closing = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._write, name="log-writer", daemon=True)
        self._thread.start()

    def handle(self, record: logging.LogRecord) -> bool:
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
            return False
        self._waiting.append(record)
        if not self._wake.is_set():
            self._wake.set()
        return True

    def close(self) -> None:
        """Write what is waiting, for at most two seconds."""
        self._is_closing = True
        self._wake.set()
        self._thread.join(timeout=2.0)
        super().close()

    def _write(self) -> None:
        while not self._is_closing:
            self._wake.wait()
            if not self._is_closing:
                threading.Event().wait(_BATCH_S)  # let a batch gather
            self._wake.clear()
            self._write_batch()
        self._write_batch()
        for target in self._targets:
            target.close()

    def _write_batch(self) -> None:
        dropped, self.dropped = self.dropped, 0
        if dropped:
            text = f"{dropped} log lines were dropped: the log could not be written fast enough"
            self._waiting.append(logging.LogRecord(ROOT, logging.WARNING, "", 0, text, None, None))
        while self._waiting:
            record = self._waiting.popleft()
            for target in self._targets:
                target.handle(record)
        for target in self._targets:
            target.flush()


class _QuietStream(logging.StreamHandler[IO[str]]):
    """A stream that may be closed, full or broken without anybody noticing (F59)."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record) + "\n")
        except (OSError, ValueError):
            self.lost = getattr(self, "lost", 0) + 1

    def flush(self) -> None:
        try:
            super().flush()
        except (OSError, ValueError):
            self.lost = getattr(self, "lost", 0) + 1


class _QuietFile(RotatingFileHandler):
    """The same for a file."""

    lost = 0

    def handleError(self, record: logging.LogRecord) -> None:
        self.lost += 1


def start_logging(settings: LoggingSettings, stream: IO[str] | None = None) -> BackgroundHandler:
    """Send the house's log to `stream` (standard error) and to the configured file; `stop_logging` ends it."""
    stream = stream or sys.stderr
    is_human = settings.format == "human" or (settings.format == "auto" and stream.isatty())
    targets: list[logging.Handler] = [_QuietStream(stream)]
    if settings.file:
        targets.append(
            _QuietFile(settings.file, maxBytes=settings.max_bytes, backupCount=settings.files, encoding="utf-8")
        )
    for target in targets:
        target.setFormatter(HumanFormatter() if is_human and target is targets[0] else JsonFormatter())
    handler = BackgroundHandler(targets)
    logger = logging.getLogger(ROOT)
    logger.setLevel(settings.level.upper())
    logger.propagate = False
    logger.addHandler(handler)
    return handler


def stop_logging(handler: BackgroundHandler) -> None:
    logging.getLogger(ROOT).removeHandler(handler)
    handler.close()
