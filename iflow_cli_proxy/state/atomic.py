"""Files that are either the old one or the new one, and readable by their owner only (RELIABILITY R11, I41, I42).

Knows how to write, read and lock one file so that a crash, a second process or a planted link does no harm. Refuses to
know what the bytes mean.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import Final, TypeAlias

from iflow_cli_proxy.core.errors import StateError

Stamp: TypeAlias = tuple[int, int, int]
"""When a file was changed (nanoseconds), its size and its inode."""

_log: Final = logging.getLogger(__name__)

_LARGEST_BYTES: Final = 8 << 20
_OTHERS: Final = 0o077
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_CLOEXEC: Final = getattr(os, "O_CLOEXEC", 0)
_NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)


def write_private(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace the file whole and return when it would survive a power cut; it is open to `mode` only once complete.

    Raises:
        StateError: no temporary file is left, and nothing has changed unless it was only the folder's last flush
            that failed.
    """
    try:
        make_private_folder(path.parent)
        _refuse_special(path)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            _write_new(temporary, data, mode)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise _failed("saved", path, error) from error


def remove_private(path: Path) -> bool:
    """Delete the file, and return when that would survive a power cut; False when there was none. Raises StateError."""
    try:
        path.unlink()
        _sync_folder(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _failed("deleted", path, error) from error
    return True


def rename_private(path: Path, name: str) -> Path:
    """Give the file, whatever it is, another name in its folder that nothing has; keep others out of the way by a lock.

    Raises:
        StateError: the name is taken, or the file cannot be renamed.
    """
    target = path.with_name(name)
    try:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        path.rename(target)
        _sync_folder(path.parent)
    except OSError as error:
        raise _failed("moved away", path, error) from error
    return target


def read_private(path: Path, *, largest_bytes: int = _LARGEST_BYTES, is_ours: bool = True) -> bytes | None:
    """What the file holds, or None when there is none. A mode that lets others read is tightened, with a warning.

    The mode of a file of another program (`is_ours=False`) is left as it is.

    Raises:
        StateError: it is a link, a folder, a pipe, has a second name, belongs to another user, or cannot be read.
    """
    try:
        # Non-blocking, so that a pipe put in place of the file cannot hold us.
        descriptor = os.open(path, os.O_RDONLY | _NOFOLLOW | _CLOEXEC | _NONBLOCK | _BINARY)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            raise _refused(path, "it is a link") from error
        raise _failed("read", path, error) from error
    try:
        _check_owner_and_kind(path, os.fstat(descriptor))
        if is_ours:
            _tighten(path, descriptor)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(largest_bytes + 1)
    except OSError as error:
        raise _failed("read", path, error) from error
    finally:
        os.close(descriptor)
    if len(data) > largest_bytes:
        raise _refused(path, f"it is larger than {largest_bytes} bytes")
    return data


def stamp_of(path: Path) -> Stamp | None:
    """Differs from an earlier answer after any change; None when there is no file."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def make_private_folder(folder: Path) -> None:
    """Create the folder, and those above it that are missing, for the owner alone; one that exists is left as it is."""
    missing = [folder, *folder.parents]
    for place in reversed([place for place in missing if not place.exists()]):
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o700)


def tighten_folder(folder: Path) -> None:
    """Close a folder of credentials to others, with a warning when it was open.

    Raises:
        StateError: everybody may write there and that cannot be changed.
    """
    if os.name != "posix" or not folder.is_dir():
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not mode & _OTHERS:
        return
    try:
        folder.chmod(mode & ~_OTHERS)
    except OSError as error:
        if mode & stat.S_IWOTH:
            raise _refused(folder, "every user may write to its folder") from error
        _log.warning("%s is open to other users (mode %o) and that cannot be changed", folder.name, mode)
    else:
        _log.warning("%s was open to other users (mode %o); closed it", folder.name, mode)


def remove_leftovers(path: Path) -> None:
    """Delete temporary files that a killed writer of this file left behind; call it while holding the file's lock."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY, 0o600)
    try:
        if os.name == "posix":
            os.fchmod(descriptor, 0o600)  # a umask may have taken away even the owner's rights
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if os.name == "posix" and mode != 0o600:
            os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # a folder cannot be opened there; the rename is journalled
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_special(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise _refused(path, _kind(mode))


def _check_owner_and_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, _kind(status.st_mode))
    if os.name != "posix":
        return
    if status.st_uid != os.geteuid():
        raise _refused(path, "it belongs to another user")
    if status.st_nlink > 1:  # none: another process has put the next one in its place since it was opened
        raise _refused(path, "it has a second name (a hard link)")


def _tighten(path: Path, descriptor: int) -> None:
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if os.name != "posix" or not mode & _OTHERS:
        return
    try:
        os.fchmod(descriptor, mode & ~_OTHERS)
    except OSError:
        _log.warning("%s is readable by other users (mode %o) and that cannot be changed", path.name, mode)
    else:
        _log.warning("%s was open to other users (mode %o); closed it", path.name, mode)


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "it is a link"
    return "it is a folder" if stat.S_ISDIR(mode) else "it is no ordinary file"


def _refused(path: Path, reason: str) -> StateError:
    return StateError(
        f"A file of the gateway is not safe to use: {reason}.",
        detail=str(path),
        hint="look at it, then move it away",
    )


def _failed(action: str, path: Path, error: OSError) -> StateError:
    reason = error.strerror or type(error).__name__
    return StateError(f"A file of the gateway could not be {action}: {reason}.", detail=str(path))
