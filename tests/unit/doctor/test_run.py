from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import ConfigError, LoginRequired, StateError
from iflow_cli_proxy.doctor.finding import Diagnosis, Finding, Group, Repair, Status, blocking
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.run import Chart, Wish, examine
from iflow_cli_proxy.pool.saved import AccountState
from iflow_cli_proxy.state.accounts import AccountStore
from tests.support.machines import machine, names, write
from tests.support.saved_accounts import saved_account


def finding(repair: Repair | None = None) -> Finding:
    return Finding(
        group=Group.FILES, status=Status.WARNING, subject="a file", text="is odd", action="mend it", repair=repair
    )  # fmt: skip


def failing(error: Exception) -> Repair:
    def work() -> str:
        raise error

    return Repair(will="mend it", do=blocking(work))


# --- the chart ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StateError("It is shut.", hint="open it"), "It is shut."),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (ValueError("sk-0123456789"), "ValueError"),
    ],
)
async def test_a_look_that_fails_is_a_finding_and_the_others_still_speak(error: Exception, reason: str) -> None:
    chart = Chart()

    def check() -> Iterable[Finding]:
        yield finding()
        raise error

    await chart.look(Group.FILES, "files", check)
    await chart.look(Group.SERVER, "port", lambda: [finding()])

    before, failed, after = chart.findings
    assert (failed.status, failed.text) == (Status.WARNING, f"could not be looked at: {reason}")
    assert before == after == finding()


async def test_nothing_is_repaired_unless_that_is_wished() -> None:
    repair = Repair(will="mend it", do=blocking(lambda: "mended"))
    heard: list[str] = []
    only_looks, mends = Chart(announce=heard.append), Chart(fixes=True, announce=heard.append)

    await only_looks.look(Group.FILES, "files", lambda: [finding(repair)])
    assert heard == []
    await mends.look(Group.FILES, "files", lambda: [finding(repair), finding()])

    assert heard == ["mend it"]
    assert [one.status for one in mends.findings] == [Status.OK, Status.WARNING]
    assert mends.findings[0].repaired == "mended"


async def test_it_is_said_before_it_is_done() -> None:
    order: list[str] = []

    def work() -> str:
        order.append("done")
        return "mended"

    chart = Chart(fixes=True, announce=order.append)
    await chart.look(Group.FILES, "files", lambda: [finding(Repair(will="said", do=blocking(work)))])

    assert order == ["said", "done"]


async def test_a_repair_that_fails_leaves_the_finding_with_the_reason() -> None:
    chart = Chart(fixes=True)
    repairs = [failing(OSError(30, "Read-only file system")), failing(StateError("No.", hint="ask"))]
    await chart.look(Group.FILES, "files", lambda: [finding(one) for one in repairs])

    disk, state = chart.findings
    assert (disk.status, disk.action, disk.repair) == (Status.WARNING, "mend it", None)
    assert "could not be repaired: Read-only file system" in disk.text
    assert state.action == "ask"


async def test_a_refresh_that_is_refused_for_good_needs_a_login() -> None:
    chart = Chart(fixes=True)
    error = LoginRequired("The refresh token is dead.", hint="iflow2api login qwen")
    await chart.look(Group.ACCOUNTS, "accounts", lambda: [finding(failing(error))])

    (found,) = chart.findings
    assert (found.status, found.needs_login, found.action) == (Status.FAILURE, True, "iflow2api login qwen")


async def test_the_groups_stand_in_their_order() -> None:
    chart = Chart()
    for group in reversed(Group):
        await chart.look(group, "x", lambda group=group: [Finding(group=group, status=Status.OK, subject="", text="")])  # type: ignore[misc]

    assert [one.group for one in chart.diagnosis().findings] == list(Group)


# --- a whole examination --------------------------------------------------------------------------------------------


async def look(here: Machine, **wish: Any) -> Diagnosis:
    return await examine(here, Wish(**wish))


def of(diagnosis: Diagnosis, subject: str) -> Finding:
    return next(one for one in diagnosis.findings if one.subject == subject)


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    return machine(tmp_path, {"IFLOW2API_SERVER_PORT": "0"})


async def test_a_fresh_machine_only_lacks_a_sign_in_and_stays_fresh(here: Machine) -> None:
    diagnosis = await look(here)

    assert diagnosis.only_needs_logins
    assert [one.subject for one in diagnosis.findings if one.is_failure] == ["accounts"]
    assert list(here.home.iterdir()) == []


async def test_offline_nothing_leaves_this_machine(here: Machine) -> None:
    async def refuse(*given: object) -> Any:
        raise AssertionError("somebody was called")

    AccountStore(here.paths.accounts_dir, clock=here.clock).create(saved_account("one"))
    offline = machine(here.home, here.environ, resolve=refuse, connect=refuse)

    diagnosis = await look(offline, providers=("iflow", "qwen"), fixes=True)

    assert not [one for one in diagnosis.findings if "could not be looked at" in one.text]
    assert not [one for one in diagnosis.findings if one.group is Group.UPSTREAMS]


async def test_with_wrong_settings_the_rest_is_looked_at_all_the_same(here: Machine) -> None:
    write(here.paths.config_file, "[server]\nport = 'x'\n[security]\nencrypt = 'rot13'\n")

    diagnosis = await look(here)

    assert {one.group for one in diagnosis.findings} >= {Group.CONFIG, Group.FILES, Group.ACCOUNTS}
    assert not diagnosis.only_needs_logins


async def test_fix_repairs_and_the_next_look_finds_nothing_left(here: Machine) -> None:
    store = AccountStore(here.paths.accounts_dir, clock=here.clock)
    store.create(saved_account("one", tokens=None))
    write(here.paths.accounts_dir / "two.json", "{")
    write(here.paths.accounts_dir / "gone.json.lock", "")
    write(here.paths.config_file, "", mode=0o644)

    first = await look(here)
    mended = await look(here, fixes=True)
    second = await look(here, fixes=True)

    assert first.can_fix == 3
    assert not first.is_well
    assert mended.is_well
    assert sum(bool(one.repaired) for one in mended.findings) == 3
    assert second.is_well
    assert len(store.load().accounts) == 1


async def test_a_clock_that_was_set_back_shows_by_the_accounts(here: Machine) -> None:
    later = machine(here.home, here.environ)
    later.clock.advance(7200)  # type: ignore[attr-defined]
    AccountStore(here.paths.accounts_dir, clock=later.clock).create(saved_account("one"))

    assert of(await look(here), "clock").status is Status.WARNING


async def test_an_account_that_needs_a_login_is_the_only_failure(here: Machine) -> None:
    dead = saved_account("one", state=AccountState.NEEDS_LOGIN, last_error="It is dead.")
    AccountStore(here.paths.accounts_dir, clock=here.clock).create(dead)

    diagnosis = await look(here)

    assert diagnosis.only_needs_logins
    assert of(diagnosis, "iflow/one@example.com").action == "iflow2api login iflow"
    assert "key-of-one" not in str(diagnosis)


async def test_a_person_of_iflow_is_told_of_its_end_and_others_are_not(here: Machine) -> None:
    store = AccountStore(here.paths.accounts_dir, clock=here.clock)
    store.create(saved_account("one", provider="deepseek"))
    assert not [one for one in (await look(here)).findings if one.subject == "iFlow"]

    store.create(saved_account("two"))
    assert of(await look(here), "iFlow").status is Status.NOTE


async def test_a_relay_of_iflow_has_not_ended(here: Machine) -> None:
    write(
        here.paths.config_file,
        '[providers.iflow]\nbase_url = "http://127.0.0.1:9/v1"\n'
        '[providers.iflow.oauth]\ntoken_url = "http://127.0.0.1:9/token"\n',
    )
    AccountStore(here.paths.accounts_dir, clock=here.clock).create(saved_account("one"))

    assert not [one for one in (await look(here)).findings if one.subject == "iFlow"]


@pytest.mark.parametrize("is_online", [False, True])
async def test_a_provider_that_nobody_knows_is_wrong_usage(here: Machine, is_online: bool) -> None:
    with pytest.raises(ConfigError) as caught:
        await look(here, providers=("nope",), is_online=is_online)

    assert caught.value.param is not None
    assert caught.value.param.startswith("--")


async def test_with_wrong_settings_a_name_may_stand_in_the_part_that_was_not_read(here: Machine) -> None:
    write(here.paths.config_file, "[providers.desk]\nbase_url = 5\n")

    diagnosis = await look(here, providers=("desk",), is_online=True)

    assert of(diagnosis, "desk").status is Status.FAILURE


async def test_online_a_vendor_whose_names_are_gone_is_gone(here: Machine) -> None:
    gone = machine(here.home, here.environ, resolve=names({"www.aliyun.com": ("127.0.0.1",)}))

    diagnosis = await look(gone, providers=("iflow", "QWEN"), is_online=True)

    assert [one.subject for one in diagnosis.findings if one.status is Status.GONE] == ["iflow", "qwen"]
    assert not diagnosis.only_needs_logins


async def test_sealed_accounts_are_known_without_opening_them(here: Machine) -> None:
    sealing = machine(here.home, {**here.environ, "IFLOW2API_SECURITY_ENCRYPT": "passphrase"})
    with_key = {**sealing.environ, "IFLOW2API_PASSPHRASE": "correct horse"}
    pytest.importorskip("cryptography")
    from iflow_cli_proxy.state.vault import open_seal

    seal = open_seal("passphrase", here.paths.accounts_dir, with_key)
    AccountStore(here.paths.accounts_dir, seal=seal, clock=here.clock).create(saved_account("one"))

    offline = await look(sealing)
    locked = await look(
        machine(here.home, sealing.environ, resolve=names({})), providers=("iflow",), is_online=True
    )  # fmt: skip

    assert "is sealed" in of(offline, "iflow/one@example.com").text
    assert offline.is_well
    assert "nobody is here to type it" in of(locked, "accounts").text
