"""What a doctor looks at, handed over: a test hands over another machine.

Knows which parts of the world there are. Refuses to know what is wrong with any of them.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from platform import python_version

from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.doctor.reach import Connect, Resolve, by_socket, by_system
from iflow_cli_proxy.providers.discovery import FileText
from iflow_cli_proxy.state.paths import Paths

_LARGEST_BYTES = 1 << 20


def is_installed(module: str) -> bool:
    """Whether a module of that name could be imported; it is not."""
    return find_spec(module) is not None


def free_bytes(folder: Path) -> int:
    """Room left for files of ours on the disk that holds `folder`."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, kw_only=True)
class Machine:
    environ: Mapping[str, str]
    paths: Paths
    home: Path
    clock: Clock = field(default_factory=SystemClock)
    is_config_named: bool = False
    """The person named a config file, so it has to be there."""
    encoding: str = "utf-8"
    """Of the terminal."""
    platform: str = sys.platform
    python: str = field(default_factory=python_version)
    is_installed: Callable[[str], bool] = is_installed
    free_bytes: Callable[[Path], int] = free_bytes
    resolve: Resolve = by_system
    connect: Connect = by_socket

    def read(self, path: Path) -> FileText | None:
        """A file of another program, or None when there is none. Raises OSError."""
        try:
            with path.open("rb") as file:
                return FileText(data=file.read(_LARGEST_BYTES), modified_at=path.stat().st_mtime)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names_in(self, folder: Path) -> list[str]:
        """Nothing when there is no such folder. Raises OSError."""
        try:
            return sorted(each.name for each in folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
