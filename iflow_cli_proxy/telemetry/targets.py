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
        descriptor = None if stream.isatty() else _descriptor_of(stream)
        self._pen = _Pen(descriptor) if descriptor is not None else None

    def write(self, data: bytes) -> None:
        if self._pen is not None:
            self._pen.write(data)
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
            self._pen = _Pen(os.open(path, _OPEN, 0o600))
        except OSError as error:
            raise ConfigError(
                f"The log file cannot be opened: {error.strerror}.",
                param="logging.file",
                hint="set logging.file to a file in a folder that exists",
            ) from error

    def write(self, data: bytes) -> None:
        self._follow()
        size = self._size()
        if size and size + len(data) > self._max_bytes:
            self._rotate()
            size = self._size()
        try:
            self._pen.write(data)
        except OSError:
            self._take_back(size, len(data))
            raise

    def close(self) -> None:
        os.close(self._pen.descriptor)

    def _size(self) -> int:
        return os.fstat(self._pen.descriptor).st_size

    def _follow(self) -> None:
        """Begin a new file where this one was moved or deleted by somebody else, another process that rotates, say.

        Where we may not, the moved one is better than none.
        """
        mine = os.fstat(self._pen.descriptor)
        with suppress(FileNotFoundError):
            if os.path.samestat(mine, self._path.stat()):
                return
        with suppress(PermissionError):
            self._open_again()

    def _take_back(self, size: int, most: int) -> None:
        """A disk that was full in the middle of a line leaves none that nobody can read."""
        with suppress(OSError):
            if 0 < self._size() - size < most:
                os.ftruncate(self._pen.descriptor, size)
                self._pen = _Pen(self._pen.descriptor)

    def _rotate(self) -> None:
        """Make room, or go on in the same file when the folder does not allow it."""
        if not self._keep:
            os.ftruncate(self._pen.descriptor, 0)
            return
        with suppress(OSError):
            path = self._path.resolve()  # a link stays one: it may be /dev/stdout
            for number in range(self._keep, 0, -1):
                younger = _numbered(path, number - 1)
                if younger.exists():
                    younger.replace(_numbered(path, number))
            self._open_again()

    def _open_again(self) -> None:
        opened = os.open(self._path, _OPEN, 0o600)
        os.close(self._pen.descriptor)
        self._pen = _Pen(opened)


class _Pen:
    """Writes to a descriptor; after a line that was cut off, the next one begins on a line of its own."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._is_torn = False

    def write(self, data: bytes) -> None:
        rest = b"\n" + data if self._is_torn else data
        while rest:
            count = os.write(self.descriptor, rest)
            self._is_torn = not rest.endswith(b"\n", 0, count)
            rest = rest[count:]


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}") if number else path


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
