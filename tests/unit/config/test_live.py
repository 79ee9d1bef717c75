import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.config.live import POLL_S, Live, Reload, ReloadWatch
from iflow_cli_proxy.config.load import load_files
from iflow_cli_proxy.config.origin import InvalidConfig
from iflow_cli_proxy.config.schema import Settings


class Desk:
    """A config file in a folder, watched."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "config.toml"
        self.file.write_text("[server]\nkeepalive_s = 1\n")
        self.live = Live(self.build())
        self.reports: list[Reload] = []
        self.watch = ReloadWatch(self.live, [self.file], self.build, report=self.reports.append)

    def build(self) -> Settings:
        return load_files(self.file, self.file.with_name("none"), environ={})[0]

    def write(self, text: str) -> None:
        """Replace the file as an editor does, so that its inode differs even within one tick of the clock."""
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_new_value_is_seen_by_those_who_look_and_told_to_those_who_subscribed() -> None:
    live = Live(1)
    told: list[int] = []
    end = live.subscribe(told.append)

    live.replace(2)
    end()
    live.replace(3)

    assert (live.current, live.version, told) == (3, 2, [2])


async def test_a_change_is_taken_up_once_the_file_has_held_still(desk: Desk) -> None:
    desk.write("[server]\nkeepalive_s = 2\n")

    await desk.watch.look()
    assert desk.live.current.server.keepalive_s == 1
    await desk.watch.look()
    await desk.watch.look()

    assert desk.live.current.server.keepalive_s == 2
    assert desk.reports == [Reload(changed=("server.keepalive_s",))]


async def test_a_file_caught_empty_in_the_middle_of_a_save_is_not_taken_up(desk: Desk) -> None:
    desk.write("")
    await desk.watch.look()
    desk.write("[server]\nkeepalive_s = 3\n")
    await desk.watch.look()
    assert desk.live.version == 0
    await desk.watch.look()

    assert desk.live.current.server.keepalive_s == 3
    assert len(desk.reports) == 1


async def test_a_broken_file_keeps_the_old_settings_and_says_why_once(desk: Desk) -> None:
    before = desk.live.current
    desk.write("[server]\nkeepalive_s = 'x'\n")

    for _ in range(4):
        await desk.watch.look()

    assert desk.live.current is before
    assert len(desk.reports) == 1
    error = desk.reports[0].error
    assert isinstance(error, InvalidConfig)
    assert "config.toml:2: server.keepalive_s takes a number" in error.message


async def test_a_repaired_file_is_taken_up(desk: Desk) -> None:
    desk.write("[")
    assert (await desk.watch.reload()).error
    desk.write("[server]\nkeepalive_s = 4\n")
    for _ in range(2):
        await desk.watch.look()

    assert desk.live.current.server.keepalive_s == 4


async def test_what_only_a_new_process_obeys_is_reported_as_waiting(desk: Desk) -> None:
    desk.write("[server]\nport = 5\nkeepalive_s = 6\n")

    report = await desk.watch.reload()

    assert set(report.changed) == {"server.port", "server.keepalive_s"}
    assert report.waiting_for_restart == ("server.port",)


async def test_a_reload_without_a_change_replaces_nothing(desk: Desk) -> None:
    assert await desk.watch.reload() == Reload()
    assert desk.live.version == 0


async def test_a_file_that_vanishes_leaves_the_defaults(desk: Desk) -> None:
    desk.file.unlink()
    for _ in range(2):
        await desk.watch.look()

    assert desk.live.current == Settings()


async def test_whoever_holds_the_old_tree_keeps_it_unchanged(desk: Desk) -> None:
    held = desk.live.current
    copy = replace(held)
    desk.write("[server]\nkeepalive_s = 7\n")
    await desk.watch.reload()

    assert held == copy
    assert held is not desk.live.current


async def test_the_watch_looks_once_a_second_until_cancelled(desk: Desk) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise asyncio.CancelledError
        if len(pauses) == 1:
            desk.write("[server]\nkeepalive_s = 8\n")

    with pytest.raises(asyncio.CancelledError):
        await desk.watch.run(sleep)

    assert pauses == [POLL_S] * 4
    assert desk.live.current.server.keepalive_s == 8


async def test_a_file_that_cannot_be_looked_at_counts_as_absent(tmp_path: Path) -> None:
    def refuse(_: Path) -> os.stat_result:
        raise PermissionError

    reports: list[Reload] = []
    watch = ReloadWatch(Live(Settings()), [tmp_path / "x"], Settings, report=reports.append, stat=refuse)
    await watch.look()
    await watch.look()

    assert reports == []
