"""Where other programs keep their sign-ins. A table; looking there is for `search.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from iflow_cli_proxy.providers.iflow import credentials
from iflow_cli_proxy.providers.iflow.live import ACCOUNTS, OAUTH, SETTINGS
from iflow_cli_proxy.signin.foreign.kinds import CLIPROXYAPI, CONFIG, IFLOW_CLI, IFLOW_GO, POOL, QWEN_CODE, Kind

IFLOW_FILES: Final = (SETTINGS, OAUTH, ACCOUNTS)
"""Of the vendor's client; one sign-in."""
ACCOUNTS_FOLDER: Final = ("data", "accounts")
"""Below the folder that iflow-go runs in."""
POOL_VARIABLE: Final = "IFLOW2API_KEYS_JSON"
"""Holds the text of a `keys.json` itself, and wins over any file."""
POOL_PATH_VARIABLE: Final = "IFLOW2API_KEYS_PATH"
_DEFAULT_UNUSED: Final = "QWEN_CODE_AUTH_USE"
"""`false` tells other proxies to leave Qwen Code's own file alone."""


@dataclass(frozen=True, kw_only=True)
class KnownPlace:
    """A folder and the names in it that belong to one program."""

    kind: Kind
    folder: Path
    names: tuple[str, ...]
    """As patterns for `Path.glob`."""
    is_searched: bool = True
    """False: only when the program is asked for by name."""


def known_places(environ: Mapping[str, str], home: Path, here: Path) -> tuple[KnownPlace, ...]:
    """Every place for this environment; `here` is the current folder."""
    older = home / ".iflow2api"
    pool = Path(environ.get(POOL_PATH_VARIABLE, "").strip() or older / "keys.json").expanduser()
    qwen = () if environ.get(_DEFAULT_UNUSED, "").strip().lower() == "false" else ("oauth_creds.json",)
    return (
        KnownPlace(
            kind=IFLOW_CLI,
            folder=credentials.files(environ, home)[0].parent,
            names=IFLOW_FILES,
        ),
        KnownPlace(kind=QWEN_CODE, folder=home / ".qwen", names=(*qwen, "oauth_creds_*.json")),
        # Before the single account, which the pool repeats with more said about it.
        KnownPlace(kind=POOL, folder=pool.parent, names=(pool.name,)),
        KnownPlace(kind=CONFIG, folder=older, names=("config.json",)),
        KnownPlace(kind=CLIPROXYAPI, folder=home / ".cli-proxy-api", names=("iflow-*.json", "qwen-*.json")),
        # Others may be able to fill the current folder, and an account says where requests go.
        KnownPlace(kind=IFLOW_GO, folder=here.joinpath(*ACCOUNTS_FOLDER), names=("*.json",), is_searched=False),
    )
