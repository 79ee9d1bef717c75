"""Where everything of ours lies on this machine.

Knows the folders of the platform and `IFLOW2API_HOME`, which puts them all in one place. Refuses to touch the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HOME_VARIABLE: Final = "IFLOW2API_HOME"
_NAME: Final = "iflow2api"


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Every file and folder by what it holds."""

    config_file: Path
    """The person's own config.toml, which we only read."""
    overrides_file: Path
    """What commands and the admin page chose."""
    prices_file: Path
    """The person's own prices of models."""
    models_dir: Path
    """Model data that replaces the package's."""
    accounts_dir: Path
    keys_file: Path
    admin_file: Path
    """The hash of the admin page's password."""
    profiles_dir: Path
    """What `upstream probe` found out, by provider."""
    agents_dir: Path
    """What the settings of coding agents were before `connect`."""
    ledger_file: Path
    logs_dir: Path
    cache_dir: Path


def find_paths(environ: Mapping[str, str], *, config_file: Path | None = None) -> Paths:
    """The paths for this person, or below `IFLOW2API_HOME`; a config file named by hand changes only itself."""
    home = environ.get(HOME_VARIABLE, "")
    if home:
        folder = Path(home).expanduser().absolute()
        return _paths(folder, folder, folder / "logs", folder / "cache", config_file)
    from platformdirs import PlatformDirs

    dirs = PlatformDirs(_NAME, appauthor=False)
    return _paths(dirs.user_config_path, dirs.user_data_path, dirs.user_log_path, dirs.user_cache_path, config_file)


def _paths(config: Path, data: Path, logs: Path, cache: Path, config_file: Path | None) -> Paths:
    return Paths(
        config_file=config_file.expanduser().absolute() if config_file else config / "config.toml",
        overrides_file=config / "overrides.toml",
        prices_file=config / "prices.toml",
        models_dir=config / "models",
        accounts_dir=data / "accounts",
        keys_file=data / "keys.toml",
        admin_file=data / "admin.json",
        profiles_dir=data / "profiles",
        agents_dir=data / "agents",
        ledger_file=data / "usage.sqlite3",
        logs_dir=logs,
        cache_dir=cache,
    )
