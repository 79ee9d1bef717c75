"""What each account has done today, from the ledger, for lists of accounts. Days are those of this machine's zone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from iflow_cli_proxy.cli.accounting.drawing import short
from iflow_cli_proxy.cli.output import say
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.state.ledger_file import open_reader
from iflow_cli_proxy.state.ledger_queries import Sums, by_account
from iflow_cli_proxy.state.ledger_question import day_began

NO_USE: Final = Sums()


class Today:
    """The sums of a day by account; accounts that did nothing have sums of nothing."""

    def __init__(self, sums: Mapping[str, Sums]) -> None:
        self._sums = sums

    def of(self, provider: str, label: str) -> Sums:
        return self._sums.get(f"{provider}/{label}", NO_USE)


def read_today(ledger_file: Path, now: float) -> Today:
    """A ledger that cannot be read is told of and is no reason to show no accounts."""
    try:
        connection = open_reader(ledger_file)
        if connection is None:
            return Today({})
        with closing(connection):
            return Today(by_account(connection, day_began(now)))
    except StateError as error:
        say(f"{error.message} What accounts did today is not shown.", "yellow")
        return Today({})


def today_text(sums: Sums) -> str:
    """`12 · 3.4k tokens · 2 failed`; empty when nothing was asked of it."""
    if not sums.requests:
        return ""
    failed = [spoken(f"{sums.errors:,} failed")] if sums.errors else []
    return " · ".join([f"{sums.requests:,}", spoken(f"{short(sums.tokens)} tokens"), *failed])
