"""`token import`: look, show, ask, write, tell. Imported only by that command."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from iflow_cli_proxy.cli.accounts.harvest import BUNDLE, FAILED, SKIPPED, Entry, Harvest, gather, plan_all_callers
from iflow_cli_proxy.cli.accounts.importing_callers import tell_callers, write_all
from iflow_cli_proxy.cli.accounts.naming import confirmed, open_accounts
from iflow_cli_proxy.cli.output import ExitCode, print_json, print_table, say
from iflow_cli_proxy.cli.passphrase import passphrase_for
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core.errors import ConfigError, GatewayError
from iflow_cli_proxy.signin.foreign.kinds import KINDS, Kind, kind_named
from iflow_cli_proxy.signin.foreign.places import known_places
from iflow_cli_proxy.signin.foreign.reading import Reading
from iflow_cli_proxy.signin.foreign.search import Bundle, Found, Result, Unreadable, look_at, look_everywhere
from iflow_cli_proxy.signin.foreign.taking import Fate, Step, renewed
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.bundle import unpack

_WORDS: Final[Mapping[str, str]] = {
    Fate.IMPORTED: "imported",
    Fate.UPDATED: "updated",
    Fate.ALREADY_THERE: "already there",
}
_FUTURE: Final[Mapping[str, str]] = {
    Fate.IMPORTED: "new",
    Fate.UPDATED: "newer than ours",
    Fate.ALREADY_THERE: "already there",
}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the command line asks for."""

    session: Session
    paths: tuple[Path, ...]
    program: str
    """A name of `--from`, or empty."""
    is_agreed: bool
    """The person has said yes already."""
    is_rehearsal: bool
    as_json: bool
    passphrase_file: Path | None


def import_accounts(wish: Wish) -> ExitCode:
    """Bring accounts in, and say how to leave. Raises GatewayError before anything is written."""
    kind = _kind(wish.program)
    store = (accounts := open_accounts(wish.session)).store
    results = [_opened(result, wish) for result in _look(wish, kind)]
    existing = store.load().accounts
    now = accounts.clock.now()
    harvest = gather(results, existing, now=now)
    plan_all_callers(harvest, results, wish.session, now=now)
    is_search = not wish.paths
    if is_search and not wish.is_rehearsal and not _agreed(harvest, wish):
        return ExitCode.FAILED
    if not wish.is_rehearsal:
        _write(harvest, store, now=now)
        plan_all_callers(harvest, results, wish.session, now=now)  # an account that failed is nobody's
        for where, error in write_all(harvest.plans, wish.session):
            harvest.problems.append(Unreadable(where=where, problem=error.message, hint=error.hint))
    _tell(harvest, wish)
    return harvest.exit_code(is_search=is_search)


# --- looking ------------------------------------------------------------------------------------------------------


def _kind(program: str) -> Kind | None:
    if not program:
        return None
    kind = kind_named(program.lower())
    if kind is None:
        known = ", ".join(each.name for each in KINDS)
        raise ConfigError(f"There is no program called {program!r} here.", param="--from", hint=f"known: {known}")
    return kind


def _look(wish: Wish, kind: Kind | None) -> list[Result]:
    environ = wish.session.environ
    if wish.paths:
        return [result for path in wish.paths for result in look_at(path.expanduser(), environ, kind)]
    places = known_places(environ, Path.home(), Path.cwd())
    chosen = [place for place in places if (place.kind is kind if kind else place.is_searched)]
    return look_everywhere(chosen, environ)


def _opened(result: Result, wish: Wish) -> Found | Unreadable:
    """A bundle of ours as what it holds; everything else as it is."""
    if not isinstance(result, Bundle):
        return result
    try:
        passphrase = passphrase_for(wish.session.environ, wish.passphrase_file)
        accounts = unpack(result.data, passphrase)
    except GatewayError as error:
        return Unreadable(where=result.where, problem=error.message, hint=error.hint)
    origin = str(Path(result.where).absolute())
    reading = Reading(accounts=tuple(replace(one, imported_from=origin) for one in accounts))
    return Found(where=result.where, program=BUNDLE, reading=reading)


# --- writing ------------------------------------------------------------------------------------------------------


def _agreed(harvest: Harvest, wish: Wish) -> bool:
    """Whether what a search has found may be written: by --yes, or by a person who has seen it."""
    if wish.is_agreed or not harvest.news:
        return True
    said = f"New or newer than ours: {', '.join(harvest.news)}"
    if wish.as_json or not sys.stdin.isatty():
        raise ConfigError(
            f"{said}. Nobody is here to say whether to take them.",
            param="--yes",
            hint="iflow2api token import --yes takes them, --dry-run shows them",
        )
    _table(harvest, _FUTURE)
    tell_callers(harvest.plans, is_rehearsal=True)
    _tell_notes(harvest)
    if confirmed(f"{said}. Import?"):
        return True
    say("Nothing was changed.")
    return False


def _write(harvest: Harvest, store: AccountStore, *, now: float) -> None:
    for entry in harvest.to_write:
        assert entry.step is not None
        try:
            _write_one(entry.step, store, now=now)
        except GatewayError as error:
            entry.result, entry.reason = FAILED, error.message


def _write_one(step: Step, store: AccountStore, *, now: float) -> None:
    if step.fate is Fate.IMPORTED:
        store.create(step.account)
    else:
        # Decided again with what is there now: a server may have refreshed it meanwhile.
        store.change(step.account.id, lambda held: renewed(held, step.brought, now=now) or held)


# --- telling ------------------------------------------------------------------------------------------------------


def _tell(harvest: Harvest, wish: Wish) -> None:
    if wish.as_json:
        problems = [{"where": one.where, "problem": one.problem, "hint": one.hint} for one in harvest.problems]
        shapes = [one.shape() for one in harvest.entries]
        keys = [one.shape() for plan in harvest.plans for one in plan.entries]
        settings = {name: value for plan in harvest.plans for name, value in plan.settings_shape().items()}
        print_json(
            {
                "dry_run": wish.is_rehearsal,
                "entries": shapes,
                "client_keys": keys,
                "settings": settings,
                "problems": problems,
                "notes": harvest.notes,
            }
        )
    else:
        _table(harvest, _FUTURE if wish.is_rehearsal else _WORDS)
        tell_callers(harvest.plans, is_rehearsal=wish.is_rehearsal)
    for one in harvest.entries:
        if one.result in (SKIPPED, FAILED):
            say(f"{one.name} ({one.where}) is left out: {one.reason}", "yellow")
    for problem in harvest.problems:
        say(f"{problem.where}: {problem.problem}", "yellow")
        if problem.hint:
            say(f"Hint: {problem.hint}", "cyan")
    if not harvest.are_notes_told:
        _tell_notes(harvest)
    if not harvest.entries and not harvest.problems:
        say("No sign-in of another program was found. Name a file or a folder, or use `iflow2api login`.")
    elif wish.is_rehearsal:
        say("Nothing was changed.")


def _tell_notes(harvest: Harvest) -> None:
    for note in harvest.notes:
        say(f"Note: {note}", "dim")
    harvest.are_notes_told = True


def _table(harvest: Harvest, words: Mapping[str, str]) -> None:
    rows = [
        (
            f"{one.provider}/{one.name}" if one.provider else one.name,
            _result(one, words),
            one.program,
            one.where,
        )
        for one in harvest.entries
    ]
    if rows:
        print_table(("account", "result", "program", "found in"), rows, spare=1)


def _result(entry: Entry, words: Mapping[str, str]) -> str:
    if entry.result not in words:
        return spoken(entry.result)  # why, is told below
    return ", ".join(map(spoken, filter(None, (words[entry.result], entry.reason))))
