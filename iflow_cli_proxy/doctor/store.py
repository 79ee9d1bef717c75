"""The folder of accounts from inside: what is damaged, what older copies still hold, locks of accounts long gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.doctor.finding import Finding, Group, Repair, Status, blocking
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.wording import shown
from iflow_cli_proxy.state.accounts import AccountStore, DamagedFile
from iflow_cli_proxy.state.lock import FileLock

_LOCK: Final = ".json.lock"

_finding = partial(Finding, group=Group.FILES)


def examine(machine: Machine, store: AccountStore, live_ids: Sequence[str], *, is_encrypted: bool) -> Iterator[Finding]:
    """`live_ids` are those of sign-ins of other programs, whose locks are here too. Raises StateError."""
    for damaged in store.load().damaged:
        if finding := judge_damage(damaged, store, machine.home):
            yield finding
    if copies := store.open_copies():
        yield _judge_copies(copies, machine.home, is_encrypted=is_encrypted)
    for path in orphans(machine, live_ids):
        name = shown(path, machine.home)
        yield _finding(
            status=Status.NOTE,
            subject=name,
            text="is the lock of an account that is gone",
            action="iflow2api doctor --fix",
            repair=Repair(will=f"delete {name}", do=blocking(remove_orphan, path)),
        )


def judge_damage(damaged: DamagedFile, store: AccountStore, home: Path) -> Finding | None:
    """None for an account that is whole and only sealed: `accounts.py` tells about it."""
    name = shown(damaged.path, home)
    if damaged.is_intact:
        if damaged.account is not None:
            return None
        return _finding(status=Status.FAILURE, subject=name, text=damaged.problem, action=damaged.hint)
    return _finding(
        status=Status.FAILURE,
        subject=name,
        text=f"cannot be used: {damaged.problem}",
        action="iflow2api doctor --fix sets it aside; then sign in again: iflow2api login",
        repair=Repair(
            will=f"set {name} aside",
            do=blocking(lambda: f"it is called {store.set_aside(damaged).name} now"),
            then="sign in again: iflow2api login",
        ),
    )


def _judge_copies(copies: Sequence[Path], home: Path, *, is_encrypted: bool) -> Finding:
    shape = "1 older or damaged copy of an account" if len(copies) == 1 else f"{len(copies)} older or damaged copies"
    return _finding(
        status=Status.WARNING if is_encrypted else Status.NOTE,
        subject=shown(copies[0].parent, home),
        text=f"{shape} still may hold secrets{' in the open' if is_encrypted else ''}",
        action="delete them once they are not needed: " + ", ".join(copy.name for copy in copies),
    )


def orphans(machine: Machine, live_ids: Sequence[str]) -> list[Path]:
    folder = machine.paths.accounts_dir
    names = machine.names_in(folder)
    kept = {*names, *(f"{id}.json" for id in live_ids)}
    return [folder / name for name in names if name.endswith(_LOCK) and name.removesuffix(".lock") not in kept]


def remove_orphan(path: Path) -> str:
    """Delete a lock file that nobody holds and that locks nothing. Raises StateError, and then it is there still."""
    locked = path.with_name(path.name.removesuffix(".lock"))
    with FileLock(locked, wait_s=0.0):
        if locked.exists():
            raise StateError("The account has come back, so its lock stays.", detail=str(path))
        path.unlink(missing_ok=True)  # ids are used once: nobody can wait for this lock on another file of its name
    return "deleted"
