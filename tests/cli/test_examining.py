"""Findings on screens of all kinds."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from typing import Any

import pytest
from rich.console import Console

from iflow_cli_proxy.cli import examining
from iflow_cli_proxy.cli.examining import Plan, as_json, closing_words, draw, exit_code_of, run_doctor
from iflow_cli_proxy.cli.output import ExitCode
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.doctor.finding import Diagnosis, Finding, Group, Repair, Status, blocking

REPAIR = Repair(will="mend it", do=blocking(lambda: "mended"))


def finding(status: Status, group: Group = Group.FILES, **more: Any) -> Finding:
    return Finding(group=group, status=status, **{"subject": f"a {status} file", "text": "is as it is", **more})


EACH = Diagnosis([finding(status) for status in Status])


def drawn(diagnosis: Diagnosis, width: int = 80, encoding: str = "utf-8", **more: Any) -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", write_through=True)
    draw(diagnosis, Console(file=file, width=width, highlight=False, **{"force_terminal": True, **more}))
    held = file.buffer
    assert isinstance(held, io.BytesIO)
    return held.getvalue().decode(encoding)


def plan(**more: bool) -> Plan:
    given = {"fixes": False, "is_online": False, "as_json": False, **more}
    return Plan(session=Session({}), providers=(), **given)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([finding(Status.WARNING), finding(Status.NOTE)], ExitCode.OK),
        ([finding(Status.FAILURE), finding(Status.FAILURE, needs_login=True)], ExitCode.FAILED),
        ([finding(Status.FAILURE, needs_login=True), finding(Status.WARNING)], ExitCode.LOGIN_NEEDED),
        ([finding(Status.GONE)], ExitCode.FAILED),
        ([], ExitCode.OK),
    ],
)
def test_the_exit_code_follows_from_the_worst(found: list[Finding], code: ExitCode) -> None:
    assert exit_code_of(Diagnosis(found)) is code
    assert as_json(Diagnosis(found), code)["exit_code"] == int(code)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
async def test_a_repair_that_has_begun_comes_to_its_end_when_the_program_is_told_to_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[str] = []

    async def examine(*_: Any, **__: Any) -> Diagnosis:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append("saved")
        return EACH

    monkeypatch.setattr(examining, "examine", examine)
    with pytest.raises(SystemExit) as leaving:
        await run_doctor(plan(fixes=True))
    assert (leaving.value.code, ended) == (143, ["saved"])


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_without_colour_the_marks_tell_the_statuses_apart(encoding: str) -> None:
    lines = drawn(EACH, encoding=encoding, no_color=True, force_terminal=False).splitlines()

    assert lines[0] == "files"
    assert len({line.split()[0] for line in lines[1:]}) == len(Status)
    assert "?" not in "".join(lines)


def test_colours_are_used_where_there_are_some() -> None:
    assert "\x1b[31m" in drawn(EACH, color_system="standard")
    assert "\x1b[3" not in drawn(EACH, color_system="standard", no_color=True)


def test_at_40_columns_everything_is_still_there_and_nothing_is_wider() -> None:
    long = finding(Status.FAILURE, text="is wrong in " + "many " * 20, action="iflow2api " + "x" * 60)
    text = drawn(Diagnosis([long]), width=40, color_system=None)

    assert max(map(len, text.splitlines())) <= 40
    assert "".join(text.split()).count("many") == 20
    assert "x" * 60 in "".join(text.split())


def test_groups_stand_under_their_names_and_repairs_under_their_findings() -> None:
    mended = finding(Status.OK, Group.CONFIG, repaired="mended")
    text = drawn(Diagnosis([mended, finding(Status.WARNING, action="type this")]), color_system=None)

    assert [line.rstrip() for line in text.splitlines()] == [
        "config",
        " ✓ a ok file: is as it is",
        "   → repaired: mended",
        "files",
        " ! a warning file: is as it is",
        "   → type this",
    ]


def test_i44_what_came_from_elsewhere_cannot_steer_the_terminal() -> None:
    evil = finding(Status.FAILURE, text="\x1b[2Jgone", subject="\x1b]0;x\x07", action="\x1b[31m")

    assert "\x1b" not in drawn(Diagnosis([evil]), color_system=None)


def test_the_last_words_count_what_is_wrong_and_say_what_else_there_is() -> None:
    assert list(closing_words(EACH, plan())) == [
        "1 gone, 1 failure, 1 warning.",
        "`iflow2api doctor --online` asks the upstreams too.",
    ]
    broken = Diagnosis([finding(Status.FAILURE, repair=REPAIR)] * 2)
    assert list(closing_words(broken, plan(is_online=True))) == [
        "2 failures.",
        "`iflow2api doctor --fix` repairs 2 of them.",
    ]
    assert list(closing_words(Diagnosis([]), plan(is_online=True))) == ["All is well."]
