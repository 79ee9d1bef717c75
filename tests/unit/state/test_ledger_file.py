"""The file of the ledger, with real files."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from math import inf
from pathlib import Path

import pytest

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.ledger_file import STEPS, is_damaged, open_reader, open_writer, set_aside, words_for
from iflow_cli_proxy.state.ledger_row import Row
from tests.support.ledgers import NOON, fill, request_ids, row, sqlite_error

LARGE = 1 << 40
KILLED = """
import os, sys
from pathlib import Path
from iflow_cli_proxy.state.ledger_file import open_writer
from tests.support.ledgers import row
file = open_writer(Path(sys.argv[1]))
file.write([(number, row(number)) for number in range(500)])
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "usage.sqlite3"


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(40_960)
        file.write(b"\xaa" * 40_960)


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_the_file_and_those_beside_it_are_the_owners_alone(path: Path) -> None:
    with closing(open_writer(path)) as file:
        file.write([(1, row())])
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes == {path.name: 0o600, f"{path.name}-wal": 0o600, f"{path.name}-shm": 0o600}


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_a_file_that_was_open_to_others_is_closed_to_them(path: Path) -> None:
    fill(path, [])
    path.chmod(0o644)
    open_writer(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="links")
def test_a_link_in_its_place_is_refused(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="no ordinary file"):
        open_writer(path)


def test_it_flushes_every_commit_in_a_journal_that_readers_do_not_block(path: Path) -> None:
    open_writer(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_an_entry_is_written_once_and_a_request_id_as_often_as_clients_use_it(path: Path) -> None:
    with closing(open_writer(path)) as file:
        file.write([(1, row(7)), (2, row(7))])
        file.write([(2, row(7)), (3, row(8))])
    assert request_ids(path) == ["req_7", "req_7", "req_8"]


def test_a_batch_is_written_whole_or_not_at_all(path: Path) -> None:
    def half() -> Iterator[tuple[int, Row]]:
        yield 1, row(1)
        raise ZeroDivisionError

    with closing(open_writer(path)) as file:
        with pytest.raises(ZeroDivisionError):
            file.write(half())
        file.write([(3, row(3))])
    assert request_ids(path) == ["req_3"]


def test_a_full_disk_refuses_a_batch_and_takes_it_later(path: Path) -> None:
    with closing(open_writer(path)) as file:
        pages = file._connection.execute("PRAGMA page_count").fetchone()[0]
        file._connection.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone()
        batch = [(number, row(number, model_asked="m" * 200)) for number in range(500)]
        with pytest.raises(sqlite3.Error) as caught:
            file.write(batch)
        assert words_for(caught.value) == "the disk is full"
        file._connection.execute("PRAGMA max_page_count = 100000").fetchone()
        file.write(batch)
    assert len(request_ids(path)) == 500


def test_rows_too_old_are_deleted_some_at_a_time(path: Path) -> None:
    with closing(open_writer(path)) as file:
        file.write([(number, row(number)) for number in range(30)])
        assert file.prune(NOON + 20, LARGE, 15)
        assert not file.prune(NOON + 20, LARGE, 15)
        assert not file.prune(-inf, LARGE, 15)
    assert request_ids(path) == [f"req_{number}" for number in range(20, 30)]


def test_a_file_too_large_loses_the_rows_that_were_written_first_and_shrinks(path: Path) -> None:
    largest = 200_000
    with closing(open_writer(path)) as file:
        # The clock ran backwards: what was written first is not what has the oldest date.
        file.write([(number, row(-number, model_asked="m" * 200)) for number in range(2000)])
        while file.prune(-inf, largest, 100):
            pass
    assert path.stat().st_size <= largest
    kept = request_ids(path)
    assert 100 < len(kept) < 1000
    assert kept == [f"req_-{number}" for number in range(2000 - len(kept), 2000)]


def test_what_a_budget_is_counted_from_stays_however_old_it_is_and_however_large_the_file(path: Path) -> None:
    with closing(open_writer(path)) as file:
        file.write([(number, row(number, client="alice" if number % 2 else "")) for number in range(10)])
        assert not file.prune(NOON + 6, LARGE, 100, spared_from=NOON + 4)
        assert request_ids(path) == ["req_5", "req_6", "req_7", "req_8", "req_9"]
        assert not file.prune(-inf, 0, 100, spared_from=NOON + 8)
    assert request_ids(path) == ["req_9"]


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
@pytest.mark.parametrize("is_replaced", [False, True], ids=["deleted", "replaced"])
def test_nothing_is_written_to_a_file_that_is_not_there_any_more(path: Path, is_replaced: bool) -> None:
    with closing(open_writer(path)) as file:
        file.write([(1, row(1))])
        path.rename(path.with_name("elsewhere"))
        if is_replaced:
            fill(path, [])
        with pytest.raises(StateError):
            file.write([(2, row(2))])


def test_after_an_unclean_end_the_file_is_looked_through(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, path], cwd=Path(__file__).parents[3], timeout=30)
    assert done.returncode == -9
    assert path.with_name("usage.sqlite3-wal").stat().st_size > 0
    open_writer(path).close()
    assert len(request_ids(path)) == 500


def test_damage_is_found_after_an_unclean_end(path: Path) -> None:
    fill(path, [row(number, model_asked="m" * 200) for number in range(2000)])
    damage(path)
    path.with_name("usage.sqlite3-wal").write_bytes(b"\x00" * 32)
    with pytest.raises(sqlite3.Error) as caught:
        open_writer(path)
    assert is_damaged(caught.value)


def test_what_is_no_database_is_damaged_and_makes_room(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, " * 1000)
    with pytest.raises(sqlite3.Error) as caught:
        open_writer(path)
    assert is_damaged(caught.value)

    moved = set_aside(path, NOON)

    assert moved is not None
    assert moved.name == "usage.sqlite3.damaged-20261118T120000Z"
    assert moved.read_bytes().startswith(b"not a database")
    fill(path, [row()])
    assert request_ids(path) == ["req_0"]


def test_its_journal_goes_with_a_damaged_file_that_another_process_has_open(path: Path) -> None:
    fill(path, [row(number, model_asked="m" * 200) for number in range(2000)])
    with closing(open_writer(path)) as other:
        other.write([(9999, row(9999))])
        damage(path)
        moved = set_aside(path, NOON)
        assert moved is not None
        assert moved.with_name(f"{moved.name}-wal").stat().st_size > 0
        assert not path.with_name("usage.sqlite3-wal").exists()


def test_a_whole_file_stays_where_it_is(path: Path) -> None:
    fill(path, [row()])
    assert set_aside(path, NOON) is None
    assert request_ids(path) == ["req_0"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (sqlite_error(sqlite3.SQLITE_BUSY), "another process holds the file"),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC), "the disk does not do what it is told"),
        (sqlite3.OperationalError("odd"), "the database says: odd"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (StateError("It is a link."), "It is a link"),
    ],
)
def test_what_is_wrong_is_told_in_words(error: Exception, words: str) -> None:
    assert words_for(error) == words
    assert not is_damaged(error)


# --- versions -----------------------------------------------------------------------------------------------------


def test_an_older_file_gets_the_tables_of_today_and_keeps_its_rows(path: Path) -> None:
    fill(path, [row()])
    step = "ALTER TABLE exchanges ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'; CREATE INDEX moods ON exchanges (mood);"
    open_writer(path, steps=[*STEPS, step]).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT request_id, mood FROM exchanges").fetchall() == [("req_0", "calm")]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 1,)


def test_a_step_that_fails_changes_nothing(path: Path) -> None:
    fill(path, [row()])
    with pytest.raises(sqlite3.Error):
        open_writer(path, steps=[*STEPS, "CREATE TABLE half (a); CREATE TABLE half (a)"])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []


def test_a_file_of_a_newer_program_is_left_alone(path: Path) -> None:
    fill(path, [row()])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="newer iflow2api"):
        open_writer(path)
    with pytest.raises(StateError, match="newer iflow2api"):
        open_reader(path)


# --- readers ------------------------------------------------------------------------------------------------------


def test_a_reader_sees_what_is_committed_beside_a_writer_and_cannot_write(path: Path) -> None:
    with closing(open_writer(path)) as file:
        file.write([(1, row())])
        reader = open_reader(path)
        assert reader is not None
        with closing(reader):
            file.write([(2, row(2))])
            assert reader.execute("SELECT count(*) FROM exchanges").fetchone() == (2,)
            with pytest.raises(sqlite3.Error):
                reader.execute("DELETE FROM exchanges")


def test_where_nothing_was_written_there_is_nothing_to_read(path: Path) -> None:
    assert open_reader(path) is None
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch()
    assert open_reader(path) is None


def test_a_reader_of_no_database_is_told_so(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, " * 1000)
    with pytest.raises(StateError, match="no database"):
        open_reader(path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            open_writer(tmp_path / "usage.sqlite3")
    finally:
        tmp_path.chmod(0o700)
