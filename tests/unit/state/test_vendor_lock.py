"""The lock protocol of reference/qwen.md, 2.2; RELIABILITY I59."""

import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.vendor_lock import VendorLock
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".qwen" / "oauth_creds.lock"


def lock_on(path: Path, **given: Any) -> VendorLock:
    return VendorLock(path, **{"clock": SystemClock(), "entropy": os.urandom} | given)


def left_by_another(path: Path, *, age_s: float = 0.0, content: str = "theirs") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    made_at = SystemClock().now() - age_s
    os.utime(path, (made_at, made_at))


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def test_the_lock_is_a_private_file_with_a_random_uuid_and_is_gone_afterwards(path: Path) -> None:
    with lock_on(path):
        assert uuid.UUID(path.read_text()).version == 4
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700

    assert names(path) == []


def test_each_lock_has_its_own_uuid(path: Path) -> None:
    seen = set()
    entropy = counting_entropy()
    for _ in range(3):
        with lock_on(path, entropy=entropy):
            seen.add(path.read_text())

    assert len(seen) == 3


def test_a_lock_that_is_kept_is_waited_for_twenty_times_as_the_vendor_does(path: Path) -> None:
    left_by_another(path)
    pauses: list[float] = []

    with pytest.raises(StateError, match="keeps the lock") as caught, lock_on(path, sleep=pauses.append):
        pass

    assert len(pauses) == 19
    assert pauses[:4] == pytest.approx([0.1, 0.15, 0.225, 0.3375])
    assert max(pauses) == 2.0
    assert sum(pauses) < 30
    assert str(path.parent) not in caught.value.message
    assert path.read_text() == "theirs"


def test_the_lock_is_taken_as_soon_as_it_is_free(path: Path) -> None:
    left_by_another(path)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            path.unlink()

    with lock_on(path, sleep=sleep):
        assert path.read_text() != "theirs"
    assert len(pauses) == 3


@pytest.mark.parametrize("age_s", [10.5, 3600.0, -3600.0])
def test_i59_a_lock_that_is_too_old_or_of_the_future_belongs_to_nobody(path: Path, age_s: float) -> None:
    left_by_another(path, age_s=age_s)
    pauses: list[float] = []

    with lock_on(path, sleep=pauses.append):
        assert names(path) == ["oauth_creds.lock"]
    assert pauses == []


def test_a_lock_of_nine_seconds_is_alive(path: Path) -> None:
    left_by_another(path, age_s=9)

    with pytest.raises(StateError), lock_on(path, clock=SystemClock(), sleep=lambda seconds: None):
        pass
    assert path.read_text() == "theirs"


def test_a_lock_taken_over_by_another_is_not_removed_at_the_end(path: Path) -> None:
    with lock_on(path):
        path.write_text("theirs")

    assert path.read_text() == "theirs"


def test_an_error_inside_frees_the_lock(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock_on(path):
        raise ZeroDivisionError

    assert names(path) == []


def test_a_lock_held_for_long_is_renewed_so_that_nobody_takes_it_for_abandoned(path: Path) -> None:
    renewed = threading.Event()

    with lock_on(path, renew_every_s=0.001):
        os.utime(path, (1000, 1000))
        for _ in range(5000):
            if path.stat().st_mtime > 1000 or renewed.wait(0.001):
                break
        assert path.stat().st_mtime > 1000


def test_a_lock_taken_over_by_another_is_not_renewed(path: Path) -> None:
    with lock_on(path, renew_every_s=0.001):
        path.unlink()
        left_by_another(path, age_s=1000)
        threading.Event().wait(0.02)
        assert path.stat().st_mtime < SystemClock().now() - 900


def test_a_fresh_lock_that_came_between_the_look_and_the_removal_is_put_back(path: Path) -> None:
    left_by_another(path, age_s=20)

    class Late(FakeClock):
        """By the time the clock has been read, somebody has replaced the stale lock."""

        def now(self) -> float:
            if path.exists() and path.read_text() == "theirs":
                path.unlink()
                left_by_another(path, content="fresh")
                return SystemClock().now() + 20
            return SystemClock().now()

    with pytest.raises(StateError), lock_on(path, clock=Late(), sleep=lambda seconds: None):
        pass
    assert path.read_text() == "fresh"
    assert names(path) == ["oauth_creds.lock"]


def test_a_lock_that_cannot_be_made_is_a_state_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StateError, match="could not be made"), lock_on(tmp_path / "file" / "oauth_creds.lock"):
        pass


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_i41_a_link_in_place_of_the_lock_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StateError), lock_on(path, sleep=lambda seconds: None):
        pass
    assert not (tmp_path / "elsewhere").exists()


COUNTER = """
import sys, time
from pathlib import Path
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.state.vendor_lock import VendorLock
folder = Path(sys.argv[1])
for _ in range(10):
    with VendorLock(folder / "oauth_creds.lock", clock=SystemClock(), sleep=lambda s: time.sleep(0.05 * s)):
        count = int((folder / "count").read_text())
        (folder / "count").write_text(str(count + 1))
"""


def test_three_processes_that_find_an_abandoned_lock_never_hold_it_at_once(path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "count").write_text("0")
    left_by_another(path, age_s=60)
    run = [sys.executable, "-c", COUNTER, path.parent]
    writers = [subprocess.Popen(run, stderr=subprocess.PIPE) for _ in range(3)]
    try:
        for writer in writers:
            writer.communicate(timeout=30)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()

    ended = [writer.returncode for writer in writers]
    assert (path.parent / "count").read_text() == "30", ended
