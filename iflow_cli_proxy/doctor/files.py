"""Our own files and folders: who may read them, whether more can be written, what killed writers left behind.

Looks before anything is opened, since reading an account closes it to others. What is inside is for `store.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from iflow_cli_proxy.doctor.finding import Finding, Group, Repair, Status, blocking
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.modes import entry_at, judge
from iflow_cli_proxy.doctor.wording import shown
from iflow_cli_proxy.state.vault import vault_file

_LEFTOVER: Final = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
"""How `state/atomic.py` calls a file that is being written."""
_ABANDONED_AFTER_S: Final = 60.0
"""A write takes milliseconds; whoever is stopped in the middle for so long finds its file gone and says so."""
_FULL_BYTES: Final = 1 << 20
_NEARLY_FULL_BYTES: Final = 64 << 20
_CLOSED_BY_READING: Final = "reading the accounts closes it"

_finding = partial(Finding, group=Group.FILES)


def examine(machine: Machine) -> Iterator[Finding]:
    found = [*_modes(machine), *_leftovers(machine)]
    yield from found
    yield from _room(machine)
    if not found:
        folder = machine.paths.accounts_dir.parent
        text = "files and folders are for you alone" if folder.exists() else "nothing has been written yet"
        yield _finding(status=Status.OK, subject=shown(folder, machine.home), text=text)


# --- who may read ---------------------------------------------------------------------------------------------------


def _modes(machine: Machine) -> Iterator[Finding]:
    if os.name != "posix":
        return
    accounts = machine.paths.accounts_dir
    for path in _own_paths(machine):
        # A config file that is a link into a folder of dotfiles is an honest habit; its target counts.
        entry = entry_at(path, follows=path == machine.paths.config_file)
        is_read = path == accounts or (path.parent == accounts and path.suffix == ".json")
        remark = _CLOSED_BY_READING if is_read else ""
        if entry is not None and (finding := judge(entry, machine.home, os.geteuid(), remark=remark)):
            yield finding


def _own_paths(machine: Machine) -> Iterator[Path]:
    """Everything that is ours alone, folders before what is in them."""
    paths = machine.paths
    yield from dict.fromkeys(folder for folder in _own_folders(machine) if folder.is_dir() or folder.is_symlink())
    yield from (paths.config_file, paths.overrides_file, paths.keys_file, paths.admin_file, paths.ledger_file)
    yield vault_file(paths.accounts_dir)
    yield from (paths.accounts_dir / name for name in machine.names_in(paths.accounts_dir) if _is_credential(name))


def _is_credential(name: str) -> bool:
    """An account, or a copy of one; locks are empty, and what was left behind is told apart."""
    return ".json" in name and not name.startswith(".") and not name.endswith(".lock")


def _own_folders(machine: Machine) -> Iterator[Path]:
    """A home folder that was named as ours stays as open as its owner wants it."""
    paths = machine.paths
    for folder in (paths.overrides_file.parent, paths.accounts_dir.parent, paths.accounts_dir, paths.logs_dir):
        if folder != machine.home:
            yield folder


# --- whether more can be written ------------------------------------------------------------------------------------


def _room(machine: Machine) -> Iterator[Finding]:
    for folder in dict.fromkeys((machine.paths.accounts_dir, machine.paths.overrides_file.parent)):
        existing = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
        if existing is None:
            continue
        name = shown(existing, machine.home)
        if not os.access(existing, os.W_OK | os.X_OK):
            yield _finding(
                status=Status.FAILURE,
                subject=name,
                text="cannot be written to: newer tokens could not be saved",
                action=f"give yourself the right to write there, or choose another place with IFLOW2API_HOME: {name}",
            )
            continue
        if warning := judge_room(machine.free_bytes(existing), name):
            yield warning


def judge_room(free_bytes: int, name: str) -> Finding | None:
    if free_bytes >= _NEARLY_FULL_BYTES:
        return None
    is_full = free_bytes < _FULL_BYTES
    return _finding(
        status=Status.FAILURE if is_full else Status.WARNING,
        subject=name,
        text=f"its disk is {'full' if is_full else 'nearly full'} ({free_bytes >> 20} MiB left)",
        action="make room there: newer tokens have to be saved",
    )


# --- what was left behind -------------------------------------------------------------------------------------------


def _leftovers(machine: Machine) -> Iterator[Finding]:
    folders = {machine.paths.accounts_dir, machine.paths.accounts_dir.parent, machine.paths.overrides_file.parent}
    for folder in sorted(folders):
        for name in machine.names_in(folder):
            path = folder / name
            if _LEFTOVER.fullmatch(name) and _age_s(path, machine) > _ABANDONED_AFTER_S:
                short = shown(path, machine.home)
                yield _finding(
                    status=Status.WARNING,
                    subject=short,
                    text="was left behind by a program that was killed while it wrote",
                    action="iflow2api doctor --fix",
                    repair=Repair(will=f"delete {short}", do=blocking(_delete, path)),
                )


def _age_s(path: Path, machine: Machine) -> float:
    entry = entry_at(path)
    return abs(machine.clock.now() - path.lstat().st_mtime) if entry is not None else 0.0


def _delete(path: Path) -> str:
    path.unlink(missing_ok=True)
    return "deleted"
