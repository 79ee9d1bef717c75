"""Sign-ins of the vendors' own programs, where they lie: readable, whole, closed to others, not in each other's way.

Only reads (reference/iflow.md 1.1 and 2, reference/qwen.md 1.1 and 2). With `--fix` a file is closed to other users,
which changes its mode and nothing else, and a lock that belongs to nobody is taken away by the vendor's own protocol.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.core.spans import span
from iflow_cli_proxy.doctor.finding import Finding, Group, Repair, Status, blocking
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.modes import entry_at, judge
from iflow_cli_proxy.doctor.wording import shown
from iflow_cli_proxy.providers.discovery import Discovery
from iflow_cli_proxy.providers.iflow import credentials as iflow
from iflow_cli_proxy.providers.iflow.live import ACCOUNTS, OAUTH
from iflow_cli_proxy.providers.qwen import credentials as qwen
from iflow_cli_proxy.signin.foreign.kinds import IFLOW_CLI, QWEN_CODE
from iflow_cli_proxy.signin.foreign.places import known_places
from iflow_cli_proxy.state.vendor_lock import VendorLock

_STALE_AFTER_S: Final = 10.0
"""As Qwen Code has it."""

_finding = partial(Finding, group=Group.SIGN_INS)


def examine(machine: Machine) -> Iterator[Finding]:
    yield from _iflow(machine)
    yield from _qwen(machine)
    yield from _other_programs(machine)


def kinds_here(machine: Machine) -> list[str]:
    """The vendors whose programs have signed in on this machine, as kinds of provider."""
    found = {
        "iflow": iflow.files(machine.environ, machine.home, platform=machine.platform),
        "qwen": qwen.files(machine.home, machine.names_in),
    }
    return [kind for kind, files in found.items() if any(path.exists() for path in files)]


# --- iFlow ----------------------------------------------------------------------------------------------------------


def _iflow(machine: Machine) -> Iterator[Finding]:
    files = iflow.files(machine.environ, machine.home, platform=machine.platform)
    present = [path for path in files if path.exists()]
    if not present:
        return
    folder = shown(present[0].parent, machine.home)
    found = iflow.discover(machine.environ, machine.home, machine.read, platform=machine.platform)
    wrong = [
        *_open_files(present, machine),
        *_complaints(found, machine.home, has_account=bool(found.accounts)),
        *judge_keys(*(_tree(machine, path) for path in files if path.name in (OAUTH, ACCOUNTS)), folder=folder),
    ]
    yield from wrong
    if found.accounts and not wrong:
        yield _finding(status=Status.OK, subject=folder, text="a sign-in of the iFlow client, whole")


def judge_keys(oauth: dict[str, Any], cached: dict[str, Any], *, folder: str) -> Iterator[Finding]:
    """The client takes the key of `iflow_accounts.json` first, and its own refresh renews neither."""
    one, other = oauth.get("apiKey"), cached.get("iflowApiKey")
    if not (isinstance(one, str) and isinstance(other, str) and one and other) or one == other:
        return
    yield _finding(
        status=Status.WARNING,
        subject=folder,
        text=f"{ACCOUNTS} holds the key {Secret(other)} and {OAUTH} {Secret(one)}: one of them is old, and the iFlow"
        " client takes the former; the newer file counts here",
        action="sign in again with the iFlow client, or here: iflow2api login iflow",
    )


# --- Qwen -----------------------------------------------------------------------------------------------------------


def _qwen(machine: Machine) -> Iterator[Finding]:
    folder = machine.home / qwen.FOLDER
    present = [path for path in qwen.files(machine.home, machine.names_in) if path.exists()]
    if present:
        found = qwen.discover(machine.environ, machine.home, machine.read, machine.names_in)
        wrong = [*_open_files(present, machine), *_complaints(found, machine.home, has_account=bool(found.live))]
        yield from wrong
        if found.live and not wrong:
            text = f"{len(found.live)} sign-in{'s' if len(found.live) > 1 else ''} of Qwen Code, whole"
            yield _finding(status=Status.OK, subject=shown(folder, machine.home), text=text)
    yield from _locks(folder, machine)


def _locks(folder: Path, machine: Machine) -> Iterator[Finding]:
    for name in machine.names_in(folder):
        if not (name.startswith("oauth_creds") and name.endswith(qwen.LOCK_SUFFIX)):
            continue
        path = folder / name
        entry = entry_at(path)
        age_s = abs(machine.clock.now() - path.lstat().st_mtime) if entry is not None else 0.0
        if age_s > _STALE_AFTER_S:
            short = shown(path, machine.home)
            yield _finding(
                status=Status.WARNING,
                subject=short,
                text=f"is a lock that nobody has renewed for {span(age_s)}",
                action="iflow2api doctor --fix",
                repair=Repair(will=f"take {short} away", do=blocking(_take_away, path, machine.clock)),
            )


def _take_away(path: Path, clock: Clock) -> str:
    """Taking the lock removes a stale one, and giving it back leaves none. Raises StateError."""
    with VendorLock(path, clock=clock):
        pass
    return "taken away"


# --- programs whose accounts are only imported ----------------------------------------------------------------------


def _other_programs(machine: Machine) -> Iterator[Finding]:
    for place in known_places(machine.environ, machine.home, machine.home):
        if place.is_searched and place.kind not in (IFLOW_CLI, QWEN_CODE):
            found = [path for pattern in place.names for path in sorted(place.folder.glob(pattern))]
            yield from _open_files(found, machine)


# --- all ------------------------------------------------------------------------------------------------------------


def _open_files(present: Sequence[Path], machine: Machine) -> Iterator[Finding]:
    if os.name != "posix":
        return
    for path in present:
        entry = entry_at(path, follows=True)
        is_own = path.is_relative_to(machine.home)  # the system's settings are for everybody
        if entry is not None and is_own:
            found = judge(
                entry, machine.home, os.geteuid(), group=Group.SIGN_INS, remark="it is another program's file"
            )
            if found is not None:
                yield found


def _complaints(found: Discovery, home: Path, *, has_account: bool) -> Iterator[Finding]:
    for one in found.findings:
        yield _finding(
            status=Status.WARNING if has_account else Status.FAILURE,
            subject=shown(one.where, home) if one.where.startswith("/") else one.where,
            text=one.problem,
            action=one.hint,
            needs_login=not has_account,
        )


def _tree(machine: Machine, path: Path) -> dict[str, Any]:
    """The file's object, empty when it has none: that was complained about already."""
    try:
        file = machine.read(path)
        tree = jsonx.decode(file.data) if file is not None else {}
    except (OSError, JsonError):
        return {}
    return tree if isinstance(tree, dict) else {}
