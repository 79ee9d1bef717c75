from __future__ import annotations

from typing import Any

from iflow_cli_proxy.doctor.finding import Diagnosis, Finding, Group, Repair, Status, blocking


def finding(status: Status, **more: Any) -> Finding:
    return Finding(group=Group.FILES, status=status, subject="a file", text="is odd", **more)


def test_a_warning_is_no_failure_and_gone_is_one() -> None:
    assert Diagnosis([finding(Status.OK), finding(Status.NOTE), finding(Status.WARNING)]).is_well
    assert not Diagnosis([finding(Status.FAILURE)]).is_well
    assert not Diagnosis([finding(Status.GONE)]).is_well


def test_only_logins_are_needed_when_every_failure_says_so() -> None:
    login = finding(Status.FAILURE, needs_login=True)

    assert Diagnosis([login, finding(Status.WARNING)]).only_needs_logins
    assert not Diagnosis([login, finding(Status.FAILURE)]).only_needs_logins
    assert not Diagnosis([login, finding(Status.GONE)]).only_needs_logins
    assert not Diagnosis([finding(Status.WARNING)]).only_needs_logins


def test_every_status_is_counted() -> None:
    counts = Diagnosis([finding(Status.OK), finding(Status.OK), finding(Status.GONE)]).counts

    assert counts == {Status.OK: 2, Status.NOTE: 0, Status.WARNING: 0, Status.FAILURE: 0, Status.GONE: 1}


async def test_what_is_repaired_is_ok_and_says_what_is_left_to_do() -> None:
    repair = Repair(will="mend it", do=blocking(lambda: "mended"), then="look at it")
    broken = finding(Status.FAILURE, needs_login=True, repair=repair, action="doctor --fix")

    mended = broken.after(await repair.do())

    assert Diagnosis([broken]).can_fix == 1
    assert Diagnosis([mended]).can_fix == 0
    assert (mended.status, mended.repaired, mended.action) == (Status.OK, "mended", "look at it")
    assert not mended.needs_login


def test_the_json_shape_is_stable() -> None:
    assert finding(Status.WARNING).as_json() == {
        "group": "files",
        "status": "warning",
        "subject": "a file",
        "text": "is odd",
        "action": "",
        "needs_login": False,
        "can_fix": False,
        "repaired": "",
    }
