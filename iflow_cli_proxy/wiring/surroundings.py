"""What providers are given of this machine, and which tables of the configuration count."""

from __future__ import annotations

import errno
import os
import platform
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from iflow_cli_proxy.config.load import read_toml
from iflow_cli_proxy.config.schema import ProviderSettings, Settings, upstream_leaves
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.providers import IFLOW, QWEN, Surroundings, is_known_name, kind_of
from iflow_cli_proxy.providers.discovery import FileText
from iflow_cli_proxy.state.paths import Paths

_LARGEST_FOREIGN_FILE_BYTES: Final = 1024 * 1024


def surroundings(
    settings: Settings,
    paths: Paths,
    environ: Mapping[str, str],
    *,
    clock: Clock,
    entropy: Entropy,
    home: Path,
) -> Surroundings:
    """What providers are given of this machine. Raises ConfigError when model data of the person cannot be read."""
    return Surroundings(
        clock=clock,
        entropy=entropy,
        environ=environ,
        read=_read_foreign,
        home=home,
        platform=sys.platform,
        machine=platform.machine(),
        list_names=_names_in,
        thinking=settings.reasoning.thinking,
        model_files={path.stem: read_toml(path) for path in sorted(paths.models_dir.glob("*.toml"))},
    )


def enabled_tables(settings: Settings, signed_in: Iterable[str] = ()) -> dict[str, ProviderSettings]:
    """The tables of the configuration that are on, and those that need none: an existing sign-in needs no command.

    `signed_in` names providers that accounts are kept for.
    """
    tables = {name.lower(): table for name, table in settings.providers.items() if table.enabled}
    written = {name.lower() for name in settings.providers}
    kinds = {kind_of(*item) for item in tables.items()}
    looked_for = (name for name in _LOOKED_FOR if name not in kinds)
    for name in (*looked_for, *sorted(set(signed_in))):
        if name not in written and is_known_name(name):
            tables.setdefault(name, default_table(settings))
    return tables


def default_table(settings: Settings) -> ProviderSettings:
    """The table of a provider that nobody has written one for."""
    return ProviderSettings(**upstream_leaves(settings.upstream))


_LOOKED_FOR: Final = (IFLOW, QWEN)
"""Providers whose own client may have signed in on this machine."""


def _read_foreign(path: Path) -> FileText | None:
    """A file of another program, as far as it is one of sane size."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "It is no ordinary file")
            return FileText(data=file.read(_LARGEST_FOREIGN_FILE_BYTES), modified_at=status.st_mtime)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _open_at_once(path: str, flags: int) -> int:
    """A pipe in place of the file must not hold us."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _names_in(folder: Path) -> Iterable[str]:
    """What is in a folder of another program; nothing when it is not there."""
    try:
        return [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return ()
