"""Which account is meant: finding one by what a person calls it, and whose it is to change.

Refuses to change anything and to know how accounts look (`view.py`). Imported only by commands that work with
accounts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

import typer

from iflow_cli_proxy.cli.output import say
from iflow_cli_proxy.cli.passphrase import asker
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core.errors import ConfigError, GatewayError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.providers.discovery import Finding
from iflow_cli_proxy.wiring.accounts import Accounts, KnownAccount

PARAM: Final = "--account"
"""Marks an error as one of usage: a name on the command line that fits nothing."""
SHORT_ID: Final = 8
"""So many characters of an id are shown."""

_SHORTEST_PREFIX: Final = 4
_MOST_SHOWN: Final = 8


def open_accounts(session: Session, *, can_ask: bool = True, opens_secrets: bool = True) -> Accounts:
    """Everything about this person's accounts; a person may be asked for the passphrase that opens them.

    Without `opens_secrets` nobody is: sealed accounts are known, but for what is sealed in them.

    Raises:
        ConfigError: the settings are wrong.
        StateError: the accounts cannot be opened.
    """
    settings, _ = session.load()
    typed = asker() if can_ask else None
    return Accounts(settings, session.paths(), session.environ, ask=typed, opens_secrets=opens_secrets)


def name_of(account: SavedAccount) -> str:
    return f"{account.provider}/{account.label}"


def find(known: Sequence[KnownAccount], wanted: str) -> KnownAccount:
    """The one account called so: by id, by the beginning of its id, by label, or by provider/label.

    Raises:
        ConfigError: none is, or several are; the hint lists candidates.
    """
    found = _called(known, wanted.strip())
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(
            f"{wanted!r} could be {len(found)} accounts.",
            param=PARAM,
            hint="say which: " + _listed(f"{name_of(one.saved)} ({one.saved.id[:SHORT_ID]})" for one in found),
        )
    raise ConfigError(f"There is no account called {wanted!r}.", param=PARAM, hint=_nearest(known, wanted))


def find_all(known: Sequence[KnownAccount], wanted: Iterable[str]) -> list[KnownAccount]:
    """Each account that is named, once, in the order named. Raises ConfigError."""
    found = {one.saved.id: one for one in (find(known, name) for name in wanted)}
    return list(found.values())


def _called(known: Sequence[KnownAccount], wanted: str) -> list[KnownAccount]:
    """Those that answer to a name, by the most exact way of calling that reaches any."""
    if not wanted:
        return []
    begins = wanted.lower() if len(wanted) >= _SHORTEST_PREFIX else None
    for fits in (
        [one for one in known if one.saved.id == wanted or one.saved.id == wanted.lower()],
        [one for one in known if name_of(one.saved) == wanted],
        [one for one in known if one.saved.label == wanted],
        [one for one in known if one.saved.label.lower() == wanted.lower()],
        [one for one in known if begins and one.saved.id.startswith(begins)],
    ):
        if fits:
            return fits
    return []


def _nearest(known: Sequence[KnownAccount], wanted: str) -> str:
    names = [name_of(one.saved) for one in known]
    near = get_close_matches(wanted, [*names, *(one.saved.label for one in known)], n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {_listed(names)}" if names else "iflow2api login"


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _MOST_SHOWN} more" if shown[_MOST_SHOWN:] else ""
    return ", ".join(shown[:_MOST_SHOWN]) + more


def refuse_foreign(known: KnownAccount, done: str) -> None:
    """Raises ConfigError for an account that is not ours to change; `done` is the verb, as in "deleted"."""
    if known.is_ours:
        return
    name = name_of(known.saved)
    if known.place is not None:
        raise ConfigError(
            f"{name} is the sign-in of another program, used where it lies; it is not {done} here.",
            detail=known.origin,
            hint=f"sign out in that program, or: iflow2api config set providers.{known.saved.provider}.enabled false",
            param=PARAM,
        )
    raise ConfigError(
        f"{name} is a key of the configuration or the environment; it is not {done} here.",
        detail=known.origin,
        hint="take it out where it stands",
        param=PARAM,
    )


def confirmed(question: str) -> bool:
    """Ask the person at the terminal for a yes. Leaving the question is an interrupt."""
    try:
        return typer.confirm(spoken(question), err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None


def names_to_complete(session: Session) -> list[str]:
    """For the shell: labels, and provider/label where a label is not alone. Silent about whatever is wrong."""
    try:
        accounts = [one.saved for one in open_accounts(session, can_ask=False).known()]
    except GatewayError:
        return []
    labels = Counter(account.label for account in accounts)
    return [account.label if labels[account.label] == 1 else name_of(account) for account in accounts]


def tell(findings: Iterable[Finding]) -> None:
    """What was wrong on the way, on stderr."""
    for finding in findings:
        say(f"{finding.where}: {finding.problem}", "yellow")
        if finding.hint:
            say(f"Hint: {finding.hint}", "cyan")
