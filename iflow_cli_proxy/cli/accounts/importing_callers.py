"""`token import`, what comes with a pool: who may use its accounts, how they are picked, the retries of its owner.

Values of a plan first, for showing; then written. Imported only by that command.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from iflow_cli_proxy.cli.output import print_table, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.config.origin import DEFAULT, Origins, dotted
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.client_key import ClientKey
from iflow_cli_proxy.signin.foreign.client_keys import ForeignKeys, Setting, read_foreign_keys, with_pools
from iflow_cli_proxy.signin.foreign.reading import Callers
from iflow_cli_proxy.state.keys import KeyFile
from iflow_cli_proxy.wiring.saving import save_settings

NEW: Final = "new"
IMPORTED: Final = "imported"
ALREADY_THERE: Final = "already there"


@dataclass(kw_only=True)
class CallerEntry:
    """One client key, and what is or will be done with it."""

    where: str
    key: ClientKey
    result: str

    def shape(self) -> dict[str, Json]:
        return {
            "where": self.where,
            "name": self.key.name,
            "accounts": list(self.key.accounts),
            "pool": self.key.pool or None,
            "result": self.result.replace(" ", "_"),
        }


@dataclass(kw_only=True)
class CallerPlan:
    """Everything one file says of that, compared with what is here."""

    where: str
    found: ForeignKeys
    entries: list[CallerEntry]
    settings: tuple[Setting, ...]
    """Those that nobody has chosen here and that would change something."""
    notes: list[str] = field(default_factory=list)
    is_saved: bool = False

    @property
    def new_keys(self) -> list[CallerEntry]:
        return [one for one in self.entries if one.result == NEW]

    @property
    def is_news(self) -> bool:
        return bool(self.new_keys or self.settings)

    def settings_shape(self) -> dict[str, Json]:
        return {dotted(name): value for name, value in self.settings}


def plan_callers(where: str, callers: Callers, names: Mapping[int, str], opened: Session, *, now: float) -> CallerPlan:
    """`names` maps places in the reading to what the accounts are called here; those left out are not in it.

    Raises:
        GatewayError: our own keys or settings cannot be read.
    """
    accounts = {name: names[at] for name, at in callers.accounts.items() if at in names}
    found = read_foreign_keys(callers.tree, accounts, now=now)
    known = {digest for key in KeyFile(opened.paths().keys_file).load().keys for digest in _digests(key)}
    entries = [
        CallerEntry(where=where, key=key, result=ALREADY_THERE if key.digest in known else NEW) for key in found.keys
    ]
    settings, kept = _settings(found.settings, *opened.load())
    return CallerPlan(where=where, found=found, entries=entries, settings=settings, notes=[*found.notes, *kept])


def write_callers(plan: CallerPlan, opened: Session) -> None:
    """The keys first, limited to their accounts; then the settings and the pools that say how those are picked.

    Raises:
        GatewayError: something could not be written; what has been is in `plan`.
    """
    file = KeyFile(opened.paths().keys_file)
    kept, pools = with_pools(plan.found, file.take_over(one.key for one in plan.new_keys))
    by_digest = {key.digest: key for key in kept}
    for one in plan.new_keys:
        taken = by_digest.get(one.key.digest)
        one.result = ALREADY_THERE if taken is None else IMPORTED
        one.key = one.key if taken is None else replace(taken, pool="", accounts=one.key.accounts)
    if changes := (*pools, *plan.settings):
        save_settings(opened.sources(), opened.paths(), changes)
        plan.is_saved = True
    if pooled := {key.name: key for key in kept if key.pool}:
        file.change(pooled, lambda key: replace(key, pool=pooled[key.name].pool, accounts=()))
        for one in plan.entries:
            one.key = pooled.get(one.key.name, one.key)


def tell_callers(plans: Sequence[CallerPlan], *, is_rehearsal: bool) -> None:
    rows = [(one.key.name, one.result, _accounts(one.key), one.where) for plan in plans for one in plan.entries]
    if rows:
        print_table(("client key", "result", "accounts", "found in"), rows, spare=2, words=("result", "accounts"))
    for plan in plans:
        for name, value in plan.settings:
            if is_rehearsal or plan.is_saved:
                say(f"{'Would save' if is_rehearsal else 'Saved'} {dotted(name)} = {_shown(value)}")


def write_all(plans: Sequence[CallerPlan], opened: Session) -> list[tuple[str, GatewayError]]:
    """Every plan; what could not be written, with the file it was from."""
    failures: list[tuple[str, GatewayError]] = []
    for plan in plans:
        try:
            write_callers(plan, opened)
        except GatewayError as error:
            failures.append((plan.where, error))
    return failures


def _accounts(key: ClientKey) -> str:
    return ", ".join([f"pool {key.pool}"] if key.pool else key.accounts)


def _digests(key: ClientKey) -> tuple[bytes, ...]:
    return key.digest, *(old.digest for old in key.retiring)


def _settings(found: Sequence[Setting], settings: Settings, origins: Origins) -> tuple[tuple[Setting, ...], list[str]]:
    """Those to be taken over, and a remark on each that somebody has chosen otherwise here."""
    taken: list[Setting] = []
    kept: list[str] = []
    for name, value in found:
        ours = _value(settings, name)
        if ours == value:
            continue
        if origins.of(name) == DEFAULT:
            taken.append((name, value))
        else:
            kept.append(
                f"{dotted(name)} stays {_shown(ours)}, as {origins.of(name)} says; there it was {_shown(value)}"
            )
    return tuple(taken), kept


def _value(settings: Settings, name: Sequence[str]) -> Any:
    value: Any = settings
    for piece in name:
        value = getattr(value, piece)
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
