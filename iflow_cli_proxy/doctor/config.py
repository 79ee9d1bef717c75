"""Are the settings valid and safe: every mistake of the files and the environment, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from iflow_cli_proxy.config.leaf import spec_of
from iflow_cli_proxy.config.load import load_files
from iflow_cli_proxy.config.origin import InvalidConfig, Problem
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.config.variables import PREFIX, SPECIAL, setting_of
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.doctor.finding import Finding, Group, Status
from iflow_cli_proxy.doctor.machine import Machine
from iflow_cli_proxy.doctor.wording import shown
from iflow_cli_proxy.signin.foreign.places import POOL_PATH_VARIABLE, POOL_VARIABLE
from iflow_cli_proxy.state.vault import PASSPHRASE_FILE_VARIABLE, PASSPHRASE_VARIABLE
from iflow_cli_proxy.wiring.checking import checked

_VALIDATE: Final = "correct it, then `iflow2api config validate`"
_OTHERS: Final = frozenset(
    {PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE, POOL_VARIABLE, POOL_PATH_VARIABLE, "IFLOW2API_DEMO_DELAY_MS"}
)
"""Variables of ours that are neither settings nor in SPECIAL."""

_finding = partial(Finding, group=Group.CONFIG)


def examine(machine: Machine) -> tuple[Settings, list[Finding]]:
    """The settings in force, or the defaults when there are none that hold; and what was found."""
    paths = machine.paths
    try:
        settings, _ = load_files(
            paths.config_file,
            paths.overrides_file,
            environ=machine.environ,
            is_config_required=machine.is_config_named,
        )
    except InvalidConfig as error:
        rest = _finding(
            status=Status.NOTE, subject="settings", text="the other checks go by the defaults until this is corrected"
        )
        return Settings(), [*_mistakes(error), rest]
    return settings, [*_judged(machine, settings), *_unknown_variables(machine, settings)]


def _judged(machine: Machine, settings: Settings) -> Iterator[Finding]:
    try:
        checked(settings, machine.paths, machine.environ)
    except InvalidConfig as error:
        yield from _mistakes(error)
    except ConfigError as error:
        yield _finding(
            status=Status.FAILURE,
            subject=error.param or "settings",
            text=f"the gateway would not start: {error.message}",
            action=error.hint,
        )
    else:
        yield _finding(status=Status.OK, subject="settings", text=f"valid and safe ({_sources(machine)})")


def _sources(machine: Machine) -> str:
    files = [path for path in (machine.paths.config_file, machine.paths.overrides_file) if path.exists()]
    return " and ".join(shown(path, machine.home) for path in files) or "no file, all defaults"


def _mistakes(error: InvalidConfig) -> Iterator[Finding]:
    yield from (_mistake(problem) for problem in error.problems)


def _mistake(problem: Problem) -> Finding:
    return _finding(
        status=Status.FAILURE,
        subject=problem.place or problem.name or "settings",
        text=problem.message,
        action=problem.hint or _VALIDATE,
    )


def _unknown_variables(machine: Machine, settings: Settings) -> Iterator[Finding]:
    """Those with our prefix that stand for nothing; what is surely a slip of the pen is a mistake already."""
    root, existing = spec_of(Settings), {"providers": settings.providers, "pools": settings.pools}
    for name in sorted(machine.environ):
        is_ours = name.startswith(PREFIX) and name not in SPECIAL | _OTHERS
        if is_ours and setting_of(name, root, existing) is None:
            yield _finding(
                status=Status.NOTE,
                subject=name,
                text="is set in the environment and stands for no setting",
                action="iflow2api config show lists what there is",
            )
