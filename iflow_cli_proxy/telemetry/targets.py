"""Where log lines go: a stream or a rotated file, either of which may be slow, full or gone (F59).

Knows files and how they are rotated. Lines go to the system without a buffer in between: bytes that a full disk
refused would otherwise come back at every later write, and once more as a failed exit. Refuses to raise.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, TextIO, TypeVar

from iflow_cli_proxy.core.errors import ConfigError

T = TypeVar("T")

NAME: Final = "iflow2api"
_OPEN: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)


class Sink(Protocol):
    """Raises OSError or ValueError when it cannot take them."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Target:
    """Formats records and hands them to a sink; what a sink will not take is counted and told to it later."""

    def __init__(self, sink: Sink, formatter: logging.Formatter) -> None:
        self.lost = 0
        """Since the last line that told of it."""
        self.lost_in_all = 0
        self._sink = sink
        self._formatter = formatter

    def write(self, records: Sequence[logging.LogRecord]) -> None:
        if self.lost:
            records = [note_of_loss(self.lost), *records]
        data = "".join(f"{shown_by(self._formatter.format, record)}\n" for record in records).encode()
        try:
            self._sink.write(data)
        except (OSError, ValueError):
            lost = len(records) - bool(self.lost)
            self.lost += lost
            self.lost_in_all += lost
        else:
            self.lost = 0

    def close(self) -> None:
        with suppress(OSError, ValueError):
            self._sink.close()


def shown_by(show: Callable[[logging.LogRecord], T], record: logging.LogRecord) -> T:
    """What `show` makes of a record, or of the news that it cannot be shown."""
    try:
        return show(record)
    except Exception as error:  # a mistake of whoever wrote the line must not silence all others
        text = f"a log line of {record.pathname}:{record.lineno} cannot be shown: {type(error).__name__}"
        return show(logging.LogRecord(NAME, logging.ERROR, "", 0, text, None, None))


def note_of_loss(lines: int) -> logging.LogRecord:
    text = f"{lines} log lines were lost: the log could not be written, or not fast enough"
    return logging.LogRecord(NAME, logging.WARNING, "", 0, text, None, None)


class StreamSink:
    """Standard error, whatever it is connected to. It is not ours to close."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._descriptor = None if stream.isatty() else _descriptor_of(stream)

    def write(self, data: bytes) -> None:
        if self._descriptor is not None:
            _write_all(self._descriptor, data)
            return
        self._stream.write(data.decode())
        self._stream.flush()

    def close(self) -> None:
        return


class FileSink:
    """A file that is set aside when full: `name`, `name.1`, … up to `keep` old ones. Only its owner may read it.

    Raises ConfigError when it cannot be opened.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        try:
            self._descriptor = os.open(path, _OPEN, 0o600)
        except OSError as error:
            raise ConfigError(
                f"The log file cannot be opened: {error.strerror}.",
                param="logging.file",
                hint="set logging.file to a file in a folder that exists",
            ) from error

    def write(self, data: bytes) -> None:
        size = os.fstat(self._descriptor).st_size
        if size and size + len(data) > self._max_bytes:
            self._rotate()
        _write_all(self._descriptor, data)

    def close(self) -> None:
        os.close(self._descriptor)

    def _rotate(self) -> None:
        """Make room, or go on in the same file when the folder does not allow it."""
        if not self._keep:
            os.ftruncate(self._descriptor, 0)
            return
        with suppress(OSError):
            for number in range(self._keep, 0, -1):
                younger = self._numbered(number - 1)
                if younger.exists():
                    younger.replace(self._numbered(number))
            opened = os.open(self._path, _OPEN, 0o600)
            os.close(self._descriptor)
            self._descriptor = opened

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
