"""Which exchange is meant: by its request id, by the beginning of it, or the last one.

Works on the ledger's file, with or without a running gateway.
"""

from __future__ import annotations

from contextlib import closing
from typing import Final

from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.state.flight_queries import TABLES, Found, find, ids_from, last
from iflow_cli_proxy.state.ledger_file import open_reader

_PREFIX: Final = "req_"


def found(session: Session, wanted: str, *, only_failed: bool = True) -> Found:
    """The exchange called `wanted`; without a name the last failure, or the last of any kind.

    Raises:
        ConfigError: there is none, or several; the hint says how to go on.
        StateError: the ledger cannot be read.
    """
    connection = open_reader(session.paths().ledger_file, oldest=TABLES)
    if connection is None and session.paths().ledger_file.exists():
        raise ConfigError(
            "The ledger is still that of an older version, which recorded no requests.",
            hint="the next start of `iflow2api serve` brings it up to date; `iflow2api usage` reads it as it is",
        )
    if connection is None:
        raise ConfigError(
            "Nothing was ever recorded here.", hint="the first request to `iflow2api serve` begins the ledger"
        )
    with closing(connection):
        if wanted:
            name = _whole(ids_from(connection, wanted) or ids_from(connection, _PREFIX + wanted), wanted)
            one = find(connection, name)
        else:
            one = last(connection, only_failed=only_failed)
        if one is None:
            raise _nothing(is_empty=last(connection) is None)
    return one


def _whole(ids: list[str], wanted: str) -> str:
    """The id that was meant by its beginning."""
    if not ids:
        raise ConfigError(
            f"No recorded exchange is called {wanted!r}.",
            hint="a request is recorded when it has ended; `iflow2api explain --last` shows the last one",
        )
    for name in (wanted, _PREFIX + wanted):
        if name in ids:
            return name
    if len(ids) > 1:
        raise ConfigError(f"Several exchanges begin with {wanted!r}.", hint=f"one of {', '.join(ids)}")
    return ids[0]


def _nothing(*, is_empty: bool) -> ConfigError:
    if is_empty:
        return ConfigError("Nothing was recorded yet.", hint="ask the gateway something, then try again")
    return ConfigError("No exchange has failed.", hint="`iflow2api explain --last` shows the last good one")
