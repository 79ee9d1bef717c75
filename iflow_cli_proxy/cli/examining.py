"""`doctor` on a screen, on a pipe and as JSON: marks, colours, widths and the exit code. Imported only by that command.

Knows how findings are shown. Refuses to find any.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.status import Status as Spinner
from rich.table import Table
from rich.text import Text

from iflow_cli_proxy.cli.output import ExitCode, ask, console, print_json, print_table, printable, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.signing.terminal import ends_tidily, interruptible
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.doctor.finding import Diagnosis, Finding, Status
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.run import Wish, examine

_MARKS: Final = {
    Status.OK: ("✓", "+", "green"),
    Status.NOTE: ("·", "-", "dim"),
    Status.WARNING: ("!", "!", "yellow"),
    Status.FAILURE: ("✗", "x", "red"),
    Status.GONE: ("∅", "0", "magenta"),
}
"""In UTF-8, in anything else, and the colour: no two are alike without it."""
_COLUMNS: Final = ("group", "status", "what", "finding", "repair")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the command line asks for."""

    session: Session
    providers: tuple[str, ...]
    fixes: bool
    is_online: bool
    as_json: bool


async def run_doctor(plan: Plan) -> ExitCode:
    """Examine, show what was found, and say how to leave. Raises ConfigError for a provider nobody knows."""
    wish = Wish(providers=plan.providers, fixes=plan.fixes, is_online=plan.is_online)
    machine = machine_of(plan.session)  # before a spinner stands in for standard output
    screen = console(stderr=True)
    is_watched = screen.is_terminal and not plan.as_json and plan.is_online
    # With --fix it may be refreshing: what has begun comes to its end also after Ctrl-C.
    with ends_tidily(), screen.status(spoken("Looking…")) if is_watched else nullcontext() as spinner:
        diagnosis = await examine(
            machine,
            wish,
            tell=lambda text: _show_progress(spinner, text),
            announce=lambda text: say(f"Will {text}."),
            ask=_ask if sys.stdin.isatty() and not plan.as_json else None,
        )
    code = exit_code_of(diagnosis)
    if plan.as_json:
        print_json(as_json(diagnosis, code))
    elif sys.stdout.isatty():
        draw(diagnosis, console())
    else:
        print_table(_COLUMNS, [_cells(one) for one in diagnosis.findings], words=_COLUMNS)
    if not plan.as_json:
        for line in closing_words(diagnosis, plan):
            say(line, "cyan")
    return code


def machine_of(session: Session) -> Machine:
    """This machine, as this call of the program sees it."""
    return Machine(
        environ=session.environ,
        paths=session.paths(),
        home=Path.home(),
        is_config_named=session.config_file is not None,
        encoding=(sys.stdout.encoding or "ascii") if sys.stdout.isatty() else "utf-8",
    )


def exit_code_of(diagnosis: Diagnosis) -> ExitCode:
    if diagnosis.is_well:
        return ExitCode.OK
    return ExitCode.LOGIN_NEEDED if diagnosis.only_needs_logins else ExitCode.FAILED


def as_json(diagnosis: Diagnosis, code: ExitCode) -> dict[str, Json]:
    """The stable shape."""
    return {
        "findings": [one.as_json() for one in diagnosis.findings],
        "counts": {status.value: count for status, count in diagnosis.counts.items()},
        "exit_code": int(code),
    }


def draw(diagnosis: Diagnosis, screen: Console) -> None:
    """Group by group: a mark, what was found, and under it what to do; folded to any width."""
    is_utf = screen.encoding.lower().startswith("utf")
    for group, findings in groupby(diagnosis.findings, key=lambda one: one.group):
        screen.print(Text(spoken(group.value), "bold"))
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for one in findings:
            mark, plain, style = _MARKS[one.status]
            table.add_row(Text(f" {mark if is_utf else plain}", style), _sentence(one, style, is_utf=is_utf))
        screen.print(table)


def _sentence(one: Finding, style: str, *, is_utf: bool) -> Text:
    sentence = Text.assemble((printable(spoken(one.subject)), "bold"), f": {printable(spoken(one.text))}")
    arrow = "→" if is_utf else ">"
    if one.repaired:
        sentence.append(f"\n{arrow} {spoken('repaired')}: {printable(spoken(one.repaired))}", "green")
    if one.action:
        sentence.append(f"\n{arrow} {printable(spoken(one.action))}", "dim" if style == "dim" else "cyan")
    return sentence


def _cells(one: Finding) -> tuple[str, ...]:
    text = f"{one.text}; repaired: {one.repaired}" if one.repaired else one.text
    return one.group.value, one.status.value, one.subject, " ".join(text.split()), one.action


def closing_words(diagnosis: Diagnosis, plan: Plan) -> Iterator[str]:
    """What it comes to, and what else this command could do."""
    counts = diagnosis.counts
    bad = [
        f"{counts[status]} {status.value if counts[status] == 1 else _PLURALS[status]}"
        for status in (Status.GONE, Status.FAILURE, Status.WARNING)
        if counts[status]
    ]
    yield f"{', '.join(bad)}." if bad else "All is well."
    if diagnosis.can_fix and not plan.fixes:
        yield f"`iflow2api doctor --fix` repairs {diagnosis.can_fix} of them."
    if not plan.is_online:
        yield "`iflow2api doctor --online` asks the upstreams too."


_PLURALS: Final = {Status.GONE: "gone", Status.FAILURE: "failures", Status.WARNING: "warnings"}


def _ask(question: str) -> str:
    with interruptible():
        return ask(question.strip(" :"), is_secret=True)


def _show_progress(spinner: Spinner | None, text: str) -> None:
    if spinner is not None:
        text = spoken(text)
        spinner.update(f"{text[:1].upper()}{text[1:]}…")
