"""The lock that Qwen Code holds on its sign-in file while it refreshes, spoken the same way (reference/qwen.md, 2.2).

A file that exists is the lock, a random UUID inside says whose, and one older than 10 s belongs to nobody. Since a
refresh may take longer than that, the time of a lock of ours is renewed while it is held.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.ids import Entropy, uuid4
from iflow_cli_proxy.state.atomic import make_private_folder

_TRIES: Final = 20
_FIRST_PAUSE_S: Final = 0.1
_PAUSE_GROWTH: Final = 1.5
_LONGEST_PAUSE_S: Final = 2.0
_STALE_AFTER_S: Final = 10.0
_RENEW_EVERY_S: Final = 3.0
_RENEW_AT_MOST: Final = 20
"""A holder that hangs loses the lock after a minute."""
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class VendorLock:
    """`with VendorLock(home / ".qwen" / "oauth_creds.lock"):` blocks its thread, at most about 30 s. Not re-entrant.

    Raises:
        StateError: on entry, when another program keeps it or the file cannot be made.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        entropy: Entropy = os.urandom,
        sleep: Callable[[float], None] = time.sleep,
        renew_every_s: float = _RENEW_EVERY_S,
    ) -> None:
        self._path = path
        self._clock = clock
        self._sleep = sleep
        self._content = uuid4(entropy).encode()
        self._renew_every_s = renew_every_s
        self._is_over = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name="vendor-lock", daemon=True)

    def __enter__(self) -> None:
        pause = _FIRST_PAUSE_S
        for tries_left in reversed(range(_TRIES)):
            if self._try():
                self._renewer.start()
                return
            if not self._remove_stale() and tries_left:
                self._sleep(pause)
                pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_S)
        raise StateError(
            "Another program keeps the lock of its sign-in file.",
            detail=str(self._path),
            hint="close Qwen Code, or wait until it has finished",
        )

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._renewer.join()
        if self._is_ours():
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _try(self) -> bool:
        try:
            make_private_folder(self._path.parent)
            descriptor = os.open(self._path, _CREATE, 0o600)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._failed(error) from error
        try:
            os.write(descriptor, self._content)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._path.unlink()
            raise self._failed(error) from error
        finally:
            os.close(descriptor)
        return True

    def _remove_stale(self) -> bool:
        """Take an abandoned lock out of the way. It is renamed first, so that no other's new one can be deleted."""
        if not self._is_stale(self._path):
            return False
        taken = self._path.with_name(f"{self._path.name}.{secrets.token_hex(6)}.stale")
        try:
            self._path.rename(taken)
            if not self._is_stale(taken):
                # Between the look and the rename somebody else had replaced it: it is alive, so put it back.
                with contextlib.suppress(FileExistsError):
                    os.link(taken, self._path)
            taken.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._failed(error) from error
        return True

    def _is_stale(self, path: Path) -> bool:
        try:
            age_s = self._clock.now() - path.lstat().st_mtime
        except FileNotFoundError:
            return False
        return abs(age_s) > _STALE_AFTER_S  # one from the future was made before the clock was set back

    def _is_ours(self) -> bool:
        try:
            return self._path.read_bytes() == self._content
        except OSError:
            return False

    def _renew(self) -> None:
        for _ in range(_RENEW_AT_MOST):
            if self._is_over.wait(self._renew_every_s) or not self._is_ours():
                return
            with contextlib.suppress(OSError):
                os.utime(self._path)

    def _failed(self, error: OSError) -> StateError:
        reason = error.strerror or type(error).__name__
        return StateError(f"The lock of a sign-in file could not be made: {reason}.", detail=str(self._path))
