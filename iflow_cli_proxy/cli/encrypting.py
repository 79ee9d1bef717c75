"""What `config set security.encrypt` does before the setting is saved: the stored accounts move to the new seal.

Imported only by that command. A mixed folder loads, so being cut short anywhere loses nothing: the command is typed
again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from iflow_cli_proxy.cli.output import say
from iflow_cli_proxy.cli.passphrase import asker, passphrase_for
from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.sealing import Seal
from iflow_cli_proxy.state.vault import PASSPHRASE, change_passphrase, forget_passphrase, open_seal

SETTING: Final = ("security", "encrypt")
KINDS: Final = ("none", "keyring", "passphrase")


def move_accounts(old: str, new: str, folder: Path, environ: Mapping[str, str]) -> int:
    """Seal the accounts in `folder` as `new` says; how many files changed.

    Raises:
        ConfigError: `new` is no kind of seal.
        StateError: a key is missing, or an account cannot be opened; nothing has changed then.
    """
    if new not in KINDS:
        raise ConfigError(f"security.encrypt takes one of {', '.join(KINDS)}.", param="security.encrypt")
    asking = asker()
    seals: dict[str, Seal | None] = {}

    def seal_of(kind: str) -> Seal | None:
        if kind not in seals:
            seals[kind] = open_seal(kind, folder, environ, asking)
        return seals[kind]

    store = AccountStore(folder, seal=seal_of(old), find_seal=seal_of, clock=SystemClock())
    if old == new == PASSPHRASE:
        return _with_new_passphrase(folder, seal_of(old), environ)
    count = store.reseal(seal_of(new))
    if new != PASSPHRASE:
        forget_passphrase(folder)
    for copy in store.open_copies() if new != "none" else ():
        say(f"{copy} is an older copy with its secrets in the open; delete it when you do not need it.", "yellow")
    return count


def _with_new_passphrase(folder: Path, seal: Seal | None, environ: Mapping[str, str]) -> int:
    """The data key stays, so no account changes: only what opens it."""
    without_old = {name: value for name, value in environ.items() if not name.startswith("IFLOW2API_PASSPHRASE")}
    if seal is not None:
        change_passphrase(folder, seal, passphrase_for(without_old, None, is_new=True))
    return 0
