"""Who may read a file of credentials: owner, mode, links; and closing it to others.

Only ever takes rights away, and never changes an owner. Nothing of this holds on Windows, where modes say nothing.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.doctor.finding import Finding, Group, Repair, Status, blocking
from iflow_cli_proxy.doctor.wording import mode_text, shown

_OTHERS: Final = 0o077


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file or folder as it lies on the disk."""

    path: Path
    mode: int
    """All of `st_mode`."""
    owner: int

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


def entry_at(path: Path, *, follows: bool = False) -> Entry | None:
    """None when there is nothing. Raises OSError."""
    try:
        status = path.stat() if follows else path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Entry(path=path, mode=status.st_mode, owner=status.st_uid)


def judge(entry: Entry, home: Path, me: int, *, group: Group = Group.FILES, remark: str = "") -> Finding | None:
    """What is wrong with it, or None; `remark` follows what is said of an open mode."""
    name = shown(entry.path, home)
    finding = partial(Finding, group=group, subject=name)
    if stat.S_ISLNK(entry.mode):
        return finding(
            status=Status.FAILURE,
            text="is a link, which is not followed: whoever made it could choose what is read",
            action=f"put the file itself there, or move the link away: mv {name} {name}.link",
        )
    if not (stat.S_ISREG(entry.mode) or stat.S_ISDIR(entry.mode)):
        return finding(status=Status.FAILURE, text="is no ordinary file", action=f"move it away: mv {name} {name}.odd")
    if entry.owner != me:
        return finding(
            status=Status.FAILURE,
            text=f"belongs to another user (uid {entry.owner})",
            action=f"sudo chown {me} {name}, if you know how that came about",
        )
    if not stat.S_IMODE(entry.mode) & _OTHERS:
        return None
    return finding(
        status=Status.WARNING,
        text=f"is open to other users (mode {mode_text(entry.mode)}){f'; {remark}' if remark else ''}",
        action="iflow2api doctor --fix",
        repair=Repair(will=f"close {name} to other users", do=blocking(close, entry.path)),
    )


def close(path: Path) -> str:
    """Take all rights of others away. Raises StateError when it has become something else, OSError."""
    follow = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, os.O_RDONLY | follow)
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise StateError("It is not what it was a moment ago, so it was left alone.", detail=str(path))
        mode = stat.S_IMODE(status.st_mode) & ~_OTHERS
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)
    return f"its mode is {mode_text(mode)} now"
