"""Kills a process that changes accounts, before each of its system calls: `crash_accounts.py FOLDER`.

Four jobs, each killed at every step: a change, the migration of an early file, sealing a folder and opening it again.
Prints one line of JSON: for each job how many steps it has, and everything that should not be.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.state.account_file import encode_account
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.state.sealing import KeySeal
from tests.support.crash_writer import die_before
from tests.support.saved_accounts import saved_account

EARLY = b'{"id": "one", "provider": "x", "name": "me", "type": "oauth", "access_token": "at", "refresh_token": "old"}'
SEAL = KeySeal("keyring", bytes(32))

Job: TypeAlias = Callable[[AccountStore], object]


def with_new_token(account: SavedAccount) -> SavedAccount:
    assert account.tokens is not None
    return replace(account, tokens=replace(account.tokens, refresh_token=Secret("new")))


def change(store: AccountStore) -> object:
    return store.change("one", with_new_token)


def seal_all(store: AccountStore) -> object:
    return store.reseal(SEAL)


def open_all(store: AccountStore) -> object:
    return store.reseal(None)


JOBS: dict[str, tuple[Job, bytes]] = {
    "change": (change, encode_account(saved_account())),
    "migrate": (change, EARLY),
    "seal": (seal_all, encode_account(saved_account())),
    "open": (open_all, encode_account(saved_account(), SEAL)),
}


def crash_once(folder: Path, job: Job, call: int) -> bool:
    child = os.fork()
    if child == 0:
        die_before(call)
        job(AccountStore(folder, seal=SEAL if job is open_all else None, clock=SystemClock()))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{job.__name__} failed")
    return os.WIFSIGNALED(status)


def wrong_states(folder: Path, before: bytes, is_migration: bool) -> list[str]:
    loaded = AccountStore(folder, find_seal=lambda kind: SEAL, clock=SystemClock()).load()
    found = [each.problem for each in loaded.damaged]
    held = {each.id: each.tokens.refresh_token.reveal() for each in loaded.accounts if each.tokens}
    if held not in ({"one": one, "two": "rt-of-two"} for one in ("new", "old", "rt-of-one")):
        found.append(f"the accounts hold {held}")
    if is_migration and held.get("one") == "new" and (folder / "one.json.v0.bak").read_bytes() != before:
        found.append("rewritten without a backup")
    found += [each.name for each in folder.iterdir() if stat.S_IMODE(each.stat().st_mode) & 0o077]
    return found


def crash_everywhere(folder: Path, name: str) -> tuple[int, list[str]]:
    """A round over every step; how many there are, and what was wrong."""
    job, before = JOBS[name]
    wrong: list[str] = []
    call = 1
    while True:
        for left in folder.iterdir() if folder.exists() else ():
            left.unlink()
        write_private(folder / "one.json", before)
        write_private(folder / "two.json", encode_account(saved_account("two")))
        crashed = crash_once(folder, job, call)
        wrong += [f"{name}, step {call}: {each}" for each in wrong_states(folder, before, name == "migrate")]
        if not crashed:
            return call - 1, wrong
        call += 1


def main(folder: Path) -> None:
    os.umask(0)
    seen = {name: crash_everywhere(folder / name, name) for name in JOBS}
    steps = {name: count for name, (count, _) in seen.items()}
    sys.stdout.write(json.dumps({"steps": steps, "wrong": [each for _, wrong in seen.values() for each in wrong]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
