from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.telemetry.formats import JsonFormatter
from iflow_cli_proxy.telemetry.targets import FileSink, StreamSink, Target


def record(text: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("iflow2api", logging.INFO, "x.py", 7, text, args, None)


class Flaky:
    """Takes lines when it feels like it."""

    def __init__(self) -> None:
        self.is_broken = False
        self.taken: list[str] = []

    def write(self, data: bytes) -> None:
        if self.is_broken:
            raise OSError(28, "No space left on device")
        self.taken += data.decode().splitlines()

    def close(self) -> None:
        raise OSError("closing fails too")


def test_lost_lines_are_counted_and_told_once_when_writing_works_again() -> None:
    sink = Flaky()
    target = Target(sink, logging.Formatter())
    target.write([record("one")])
    sink.is_broken = True
    target.write([record("two"), record("three")])
    target.write([record("four")])
    assert target.lost == 3
    sink.is_broken = False
    target.write([record("five")])
    target.write([record("six")])
    target.close()

    assert sink.taken == [
        "one",
        "3 log lines were lost: the log could not be written, or not fast enough",
        "five",
        "six",
    ]


def test_a_line_that_cannot_be_formatted_says_where_it_came_from() -> None:
    sink = Flaky()
    Target(sink, JsonFormatter()).write([record("%d", "no number"), record("good")])

    assert "x.py:7" in sink.taken[0]
    assert "TypeError" in sink.taken[0]
    assert "good" in sink.taken[1]


def test_a_stream_without_a_descriptor_is_written_as_text() -> None:
    stream = io.StringIO()

    StreamSink(stream).write("日本\n".encode())

    assert stream.getvalue() == "日本\n"


def test_a_stream_with_one_is_written_past_its_buffer(tmp_path: Path) -> None:
    with (tmp_path / "err").open("w") as stream:
        StreamSink(stream).write(b"at once\n")
        assert (tmp_path / "err").read_bytes() == b"at once\n"


def sink_in(folder: Path, *, max_bytes: int = 20, keep: int = 2) -> FileSink:
    return FileSink(folder / "x.log", max_bytes=max_bytes, keep=keep)


def test_full_files_are_set_aside_and_the_oldest_go(tmp_path: Path) -> None:
    sink = sink_in(tmp_path)
    for number in range(6):
        sink.write(b"line %d ......\n" % number)
    sink.close()

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["x.log", "x.log.1", "x.log.2"]
    assert [(tmp_path / name).read_bytes()[:6] for name in names] == [b"line 5", b"line 4", b"line 3"]


def test_with_nothing_to_keep_the_file_begins_again(tmp_path: Path) -> None:
    sink = sink_in(tmp_path, keep=0)
    for number in range(3):
        sink.write(b"line %d ......\n" % number)
    sink.close()

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"line 2 ......\n"]


def test_what_was_there_is_kept_and_new_files_are_private(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"old\n")
    before = os.umask(0)
    try:
        sink = sink_in(tmp_path, max_bytes=6)
        sink.write(b"new\n")
        sink.close()
    finally:
        os.umask(before)

    assert (tmp_path / "x.log.1").read_bytes() == b"old\n"
    assert (tmp_path / "x.log").read_bytes() == b"new\n"
    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o600


def test_when_setting_aside_fails_it_goes_on_in_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "x.log.1").mkdir()
    (tmp_path / "x.log.1" / "in the way").touch()
    sink = sink_in(tmp_path, keep=1)
    sink.write(b"line 1 ......\n")
    sink.write(b"line 2 ......\n")
    sink.close()

    assert (tmp_path / "x.log").read_bytes() == b"line 1 ......\nline 2 ......\n"


def test_a_file_that_cannot_be_opened_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        sink_in(tmp_path / "no such folder")

    assert caught.value.param == "logging.file"
    assert caught.value.hint


@contextmanager
def disk_of(most_bytes: int) -> Iterator[None]:
    """Inside, no file of this process grows beyond that: the write that reaches it is cut short, the next one fails."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_within_a_line_leaves_no_half_of_it(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    target = Target(FileSink(file, max_bytes=1 << 20, keep=1), JsonFormatter())
    target.write([record("before")])
    with disk_of(file.stat().st_size + 100):
        target.write([record("lost" * 50), record("lost too")])
    target.write([record("after")])
    said = [jsonx.decode(line)["message"] for line in file.read_bytes().splitlines()]
    assert said == ["before", "2 log lines were lost: the log could not be written, or not fast enough", "after"]


def test_after_half_a_line_on_a_stream_the_next_one_stands_alone() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb", buffering=0) as pipe:
        sink = StreamSink(stream)
        with pytest.raises(BlockingIOError):
            sink.write(b"long" * 100_000 + b"\n")
        with pytest.raises(BlockingIOError):
            sink.write(b"nothing of this is taken\n")
        pipe.read(1 << 20)
        sink.write(b"whole\n")
        assert pipe.read(1 << 20).splitlines()[-1] == b"whole"


def test_a_file_that_was_moved_or_deleted_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    sink = FileSink(file, max_bytes=1 << 20, keep=1)
    sink.write(b"one\n")
    file.rename(tmp_path / "x.log-20261120")
    sink.write(b"two\n")
    assert file.read_bytes() == b"two\n"
    file.unlink()
    sink.write(b"three\n")
    assert file.read_bytes() == b"three\n"
    sink.close()


def test_two_processes_share_a_file_that_is_set_aside(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    sinks = [FileSink(file, max_bytes=40, keep=9) for _ in range(2)]
    for number in range(20):
        sinks[number % 2].write(f"line number {number:03}\n".encode())
    kept = sorted(line for each in tmp_path.iterdir() for line in each.read_text().splitlines())
    assert kept == [f"line number {number:03}" for number in range(20)]
    for sink in sinks:
        sink.close()


def test_what_a_link_leads_to_is_set_aside_and_the_link_stays(tmp_path: Path) -> None:
    file, link = tmp_path / "real.log", tmp_path / "stdout"
    link.symlink_to(file)
    sink = FileSink(link, max_bytes=10, keep=1)
    sink.write(b"12345678\n")
    sink.write(b"next\n")
    sink.close()
    assert link.is_symlink()
    assert (file.read_bytes(), (tmp_path / "real.log.1").read_bytes()) == (b"next\n", b"12345678\n")
