"""What a search for sign-ins has come to: entries with their fate, who may use them, and what cannot be read.

Nothing here writes. Imported only by `token import`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from iflow_cli_proxy.cli.accounts.importing_callers import CallerPlan, plan_callers
from iflow_cli_proxy.cli.output import ExitCode
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.signin.foreign.kinds import OURS
from iflow_cli_proxy.signin.foreign.search import Found, Unreadable
from iflow_cli_proxy.signin.foreign.taking import Fate, Step, plan

SKIPPED: Final = "skipped"
FAILED: Final = "failed"
BUNDLE: Final = "iflow2api (exported)"
_HOLDERS: Final = dict.fromkeys((BUNDLE, OURS.program), "The machine they come from")


@dataclass(kw_only=True)
class Entry:
    """One account that was found, and what is or will be done with it."""

    where: str
    program: str
    name: str
    provider: str = ""
    id: str = ""
    result: str
    reason: str = ""
    step: Step | None = None

    def shape(self) -> dict[str, Json]:
        return {
            "where": self.where,
            "program": self.program,
            "provider": self.provider,
            "label": self.name,
            "id": self.id,
            "result": self.result,
            "reason": self.reason,
        }


@dataclass(kw_only=True)
class Harvest:
    """Everything a search has come to."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Unreadable] = field(default_factory=list)
    plans: list[CallerPlan] = field(default_factory=list)
    """Who may use the accounts of a pool."""
    notes: list[str] = field(default_factory=list)
    are_notes_told: bool = False

    @property
    def to_write(self) -> list[Entry]:
        return [one for one in self.entries if one.step is not None and one.step.fate is not Fate.ALREADY_THERE]

    @property
    def news(self) -> list[str]:
        """What there is to write, in words, as in "2 accounts"."""
        keys = sum(len(plan.new_keys) for plan in self.plans)
        settings = sum(len(plan.settings) for plan in self.plans)
        counts = (("account", len(self.to_write)), ("client key", keys), ("setting", settings))
        return [f"{count} {what}{'s' * (count != 1)}" for what, count in counts if count]

    def exit_code(self, *, is_search: bool) -> ExitCode:
        """In a search of all places a file without a key is nothing wrong; in what was named by hand it is."""
        bad = [one for one in self.entries if one.result == FAILED or (one.result == SKIPPED and not is_search)]
        good = [one for one in self.entries if one.result not in (FAILED, SKIPPED)]
        if not bad and not self.problems:
            return ExitCode.OK
        return ExitCode.PARTLY_FAILED if good else ExitCode.FAILED


def gather(results: Sequence[Found | Unreadable], existing: Sequence[SavedAccount], *, now: float) -> Harvest:
    harvest = Harvest()
    brought: list[tuple[Found, SavedAccount]] = []
    for result in results:
        if isinstance(result, Unreadable):
            harvest.problems.append(result)
            continue
        brought += [(result, one) for one in result.reading.accounts]
        harvest.notes += [f"{result.where}: {note}" for note in result.reading.notes]
        harvest.entries += [
            Entry(where=result.where, program=result.program, name=one.name, result=SKIPPED, reason=one.reason)
            for one in result.reading.skipped
        ]
    steps = plan(existing, [account for _, account in brought], now=now, entropy=os.urandom)
    harvest.entries[:0] = [_entry(found, step) for (found, _), step in zip(brought, steps, strict=True)]
    harvest.notes += _shared_notes(harvest)
    return harvest


def plan_all_callers(harvest: Harvest, results: Sequence[Found | Unreadable], session: Session, *, now: float) -> None:
    """Raises GatewayError when our own keys or settings cannot be read."""
    entries = iter(harvest.entries)
    harvest.plans = []
    for result in results:
        if isinstance(result, Unreadable):
            continue
        of_it = [next(entries) for _ in result.reading.accounts]
        if result.reading.callers is not None:
            names = {at: f"{one.provider}/{one.name}" for at, one in enumerate(of_it) if one.result != FAILED}
            plan = plan_callers(result.where, result.reading.callers, names, session, now=now)
            harvest.plans.append(plan)
            harvest.notes += [note for text in plan.notes if (note := f"{result.where}: {text}") not in harvest.notes]


def _entry(found: Found, step: Step) -> Entry:
    account = step.account
    return Entry(
        where=found.where,
        program=found.program,
        name=account.label,
        provider=account.provider,
        id=account.id,
        result=step.fate.value,
        reason="" if step.brought.label == account.label else f"called {step.brought.label} there",
        step=step,
    )


def _shared_notes(harvest: Harvest) -> list[str]:
    """Refresh tokens are used up by their first use, so two programs with one copy each take it from each other."""
    programs = dict.fromkeys(one.program for one in harvest.to_write if one.step and one.step.brought.can_refresh)
    return [
        f"{_HOLDERS.get(program, program)} has a copy of the same sign-in: a refresh on one side ends the other's copy."
        for program in programs
    ]
