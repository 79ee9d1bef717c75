"""The settings in force right now, and the watch that replaces them when a file changes.

Knows when to look at the files, that a whole new tree replaces the old one or nothing does (RELIABILITY R10), and that
what only a new process obeys waits for one. Refuses to know how settings are read: it is handed a function that does.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar

from iflow_cli_proxy.config.listing import differences, kept_until_restart, needs_restart
from iflow_cli_proxy.config.origin import dotted
from iflow_cli_proxy.config.safety import check_safe
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import ConfigError

T = TypeVar("T")
Stamp: TypeAlias = tuple[int, int, int]
"""Time of change in ns, size, inode: two files that differ have different stamps."""

Stamps: TypeAlias = Mapping[Path, Stamp | None]

POLL_S: Final = 1.0


class Live(Generic[T]):
    """A value that is replaced as a whole. Whoever needs it steady takes `current` once and keeps that."""

    __slots__ = ("_current", "_listeners", "_version")

    def __init__(self, value: T) -> None:
        self._current = value
        self._version = 0
        self._listeners: list[Callable[[T], None]] = []

    @property
    def current(self) -> T:
        return self._current

    @property
    def version(self) -> int:
        """Grows by one with every `replace`."""
        return self._version

    def replace(self, value: T) -> None:
        """Put a new value in force and tell everyone who subscribed."""
        self._current = value
        self._version += 1
        for listener in tuple(self._listeners):
            listener(value)

    def subscribe(self, listener: Callable[[T], None]) -> Callable[[], None]:
        """Call `listener` with every later value; the answer ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


@dataclass(frozen=True, kw_only=True)
class Reload:
    """What became of one attempt to take up the files; names of settings only, never values."""

    changed: tuple[str, ...] = ()
    waiting_for_restart: tuple[str, ...] = ()
    """What the files say differently but only a new process obeys; the old values stay in force."""
    error: ConfigError | None = None
    """Why the old settings stay in force."""


class ReloadWatch:
    """Takes up changed files; `reload()` is also what SIGHUP and the admin page call.

    `build` and `beside` run in a thread, `report` and those who subscribed to `live` in the loop. `beside` names files
    that hold no settings but belong to what is made of them; they may come and go. A reload always puts a tree in
    force, equal or not, so that those files are read again too.
    """

    def __init__(
        self,
        live: Live[Settings],
        paths: Iterable[Path],
        build: Callable[[], Settings],
        *,
        report: Callable[[Reload], None],
        beside: Callable[[], Iterable[Path]] = tuple,
        has_keys: Callable[[Settings], bool] = lambda settings: False,
        stat: Callable[[Path], os.stat_result] = os.stat,
    ) -> None:
        self._live = live
        self._paths = tuple(paths)
        self._build = build
        self._report = report
        self._beside = beside
        self._has_keys = has_keys
        """Whether there are client keys outside of the settings."""
        self._stat = stat
        self._taken_up = self._seen = self._stamps()
        self._present = self._existing()
        self._one_at_a_time = asyncio.Lock()

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look every second until cancelled."""
        while True:
            await sleep(POLL_S)
            await self.look()

    async def look(self) -> None:
        """Reload when the files have changed and held still since the last look.

        An editor that empties a file before it writes would otherwise be caught in between, and an empty file is valid.
        """
        stamps = await asyncio.to_thread(self._stamps)
        if stamps == self._seen and stamps != self._taken_up:
            await self.reload()
        self._seen = stamps

    async def reload(self) -> Reload:
        """Build a whole new tree and put it in force, or keep the old one and say why."""
        async with self._one_at_a_time:
            self._taken_up, found = await asyncio.to_thread(self._read)
            done = Reload(error=found) if isinstance(found, ConfigError) else self._take_up(found)
        self._report(done)
        return done

    def _take_up(self, settings: Settings) -> Reload:
        before = self._live.current
        changed = differences(before, settings)
        self._live.replace(kept_until_restart(before, settings))
        return Reload(
            changed=tuple(dotted(path) for path in changed if not needs_restart(path)),
            waiting_for_restart=tuple(dotted(path) for path in changed if needs_restart(path)),
        )

    def _read(self) -> tuple[Stamps, Settings | ConfigError]:
        stamps = self._stamps()
        try:
            self._refuse_gone()
            settings = self._build()
            # The address stays the bound one whatever the files say, so it is that one which must be safe.
            check_safe(kept_until_restart(self._live.current, settings), has_other_keys=self._has_keys(settings))
        except ConfigError as error:
            return stamps, error
        self._present = self._existing()
        return stamps, settings

    def _refuse_gone(self) -> None:
        """A file that was there and is not any more is a mishap, not a wish for the defaults."""
        gone = sorted(self._present - self._existing())
        if gone:
            raise ConfigError(
                f"{gone[0]} is gone.",
                hint="put it back, or restart the gateway to serve without it",
                param=str(gone[0]),
            )

    def _existing(self) -> frozenset[Path]:
        return frozenset(path for path in self._paths if self._stamp(path))

    def _stamps(self) -> Stamps:
        return {path: self._stamp(path) for path in (*self._paths, *self._beside())}

    def _stamp(self, path: Path) -> Stamp | None:
        try:
            status = self._stat(path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
