"""`token export`: accounts of ours as one encrypted file. Imported only by that command."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from iflow_cli_proxy.cli.accounts.naming import find_all, open_accounts, refuse_foreign
from iflow_cli_proxy.cli.passphrase import passphrase_for
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core.errors import ConfigError, StateError
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.state.atomic import write_private
from iflow_cli_proxy.state.bundle import pack


def export_accounts(
    session: Session, names: Sequence[str], output: Path, passphrase_file: Path | None, *, overwrites: bool
) -> list[SavedAccount]:
    """Write the named accounts, or all of ours; the answer is which. Raises GatewayError, and then wrote nothing."""
    output = output.expanduser()
    if output.is_dir():
        raise ConfigError("The name of a file is needed, and this is a folder.", detail=str(output), param="--output")
    if not output.parent.is_dir():
        raise ConfigError(
            "The folder of that file does not exist.",
            detail=str(output),
            param="--output",
            hint="make it first, or name another",
        )
    if os.path.lexists(output) and not overwrites:
        raise StateError(
            "That file exists already, and stays as it is.", detail=str(output), hint="--force replaces it"
        )
    known = open_accounts(session).known()
    chosen = find_all(known, names) if names else [one for one in known if one.is_ours]
    for one in chosen:
        refuse_foreign(one, "exported")
    if not chosen:
        raise ConfigError("There is no account of ours to export.", hint="iflow2api login")
    accounts = [one.saved for one in chosen]
    write_private(output, pack(accounts, passphrase_for(session.environ, passphrase_file, is_new=True)))
    return accounts
