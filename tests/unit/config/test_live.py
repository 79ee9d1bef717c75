import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from iflow_cli_proxy.config.live import POLL_S, Live, Reload, ReloadWatch
from iflow_cli_proxy.config.load import load_files
from iflow_cli_proxy.config.origin import InvalidConfig
from iflow_cli_proxy.config.safety import are_keys_required
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import ConfigError


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

    assert report.changed == ("server.keepalive_s",)
    assert report.waiting_for_restart == ("server.port",)
    assert (desk.live.current.server.port, desk.live.current.server.keepalive_s) == (28000, 6)
    assert (await desk.watch.reload()).waiting_for_restart == ("server.port",), "it is still not obeyed"


async def test_a_reload_without_a_change_puts_an_equal_tree_in_force_so_that_other_files_are_read_again(
    desk: Desk,
) -> None:
    before = desk.live.current
    assert await desk.watch.reload() == Reload()
    assert desk.live.version == 1
    assert desk.live.current == before


async def test_a_file_that_vanishes_counts_as_broken_however_often_one_looks(desk: Desk) -> None:
    before = desk.live.current
    desk.file.unlink()
    for _ in range(2):
        await desk.watch.look()
    await desk.watch.reload()

    assert desk.live.current is before
    assert [report.error is not None for report in desk.reports] == [True, True]
    assert "config.toml is gone" in str(desk.reports[0].error)

    desk.write("[server]\nkeepalive_s = 9\n")
    assert (await desk.watch.reload()).error is None
    assert desk.live.current.server.keepalive_s == 9


KEYS = '[auth]\nclient_keys = ["sk-team-0123456789abcdef"]\n'
OPEN = f'[server]\nhost = "0.0.0.0"\n{KEYS}'


@pytest.mark.parametrize(
    "text",
    ["[server]\nkeepalive_s = 2\n", '[server]\nhost = "127.0.0.1"\n', KEYS + 'required = "never"\n'],
    ids=["no host and no keys", "back to loopback without keys", "never, with the bound address left out"],
)
async def test_an_open_address_goes_on_asking_for_keys_until_it_is_given_up(tmp_path: Path, text: str) -> None:
    desk = Desk(tmp_path)
    desk.write(OPEN)
    live = Live(desk.build())
    watch = ReloadWatch(live, [desk.file], desk.build, report=desk.reports.append)

    desk.write(text)
    report = await watch.reload()

    assert isinstance(report.error, ConfigError)
    assert str(report.error.param).startswith("auth.")
    assert are_keys_required(live.current)


async def test_a_host_that_is_left_out_keeps_the_bound_one_with_its_keys(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(OPEN)
    live = Live(desk.build())
    watch = ReloadWatch(live, [desk.file], desk.build, report=desk.reports.append)

    desk.write(KEYS)
    report = await watch.reload()

    assert report.waiting_for_restart == ("server.host",)
    assert live.current.server.host == "0.0.0.0"
    assert are_keys_required(live.current)


async def test_a_changed_file_beside_the_settings_is_a_reason_to_reload(tmp_path: Path) -> None:
    beside = tmp_path / "beside.toml"
    desk = Desk(tmp_path)
    watch = ReloadWatch(desk.live, [desk.file], desk.build, report=desk.reports.append, beside=lambda: [beside])

    beside.write_text("x")
    for _ in range(3):
        await watch.look()
    beside.unlink()
    for _ in range(3):
        await watch.look()

    assert desk.reports == [Reload(), Reload()]
    assert desk.live.version == 2


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
