"""What every command needs before it starts: the files of this person and the settings in force.

Knows the global options. Refuses to know any one command.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

if TYPE_CHECKING:
    from iflow_cli_proxy.config.load import Sources
    from iflow_cli_proxy.config.origin import Origins
    from iflow_cli_proxy.config.schema import Settings
    from iflow_cli_proxy.state.paths import Paths

_CONFIG_HELP: Final = "Read this file instead of config.toml."
RootConfigOption: TypeAlias = Annotated[
    Path | None, typer.Option("--config", envvar="IFLOW2API_CONFIG", metavar="FILE", help=_CONFIG_HELP)
]
ConfigOption: TypeAlias = Annotated[Path | None, typer.Option("--config", metavar="FILE", help=_CONFIG_HELP)]
"""The same after the command's name; without the variable, which would win over a flag before the name."""
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON of a stable shape.")]


@dataclass(frozen=True)
class Session:
    """One call of the program: its environment and the config file named on its command line."""

    environ: Mapping[str, str]
    config_file: Path | None = None

    def paths(self) -> Paths:
        from iflow_cli_proxy.state.paths import find_paths

        return find_paths(self.environ, config_file=self.config_file)

    def load(self, flags: Mapping[str, object] | None = None) -> tuple[Settings, Origins]:
        """The settings from all sources; `flags` maps dotted names to values, None for a flag not given.

        Raises:
            InvalidConfig: with every mistake.
        """
        return self.sources(flags).load()

    def sources(self, flags: Mapping[str, object] | None = None) -> Sources:
        """Where those come from."""
        from iflow_cli_proxy.config.load import Sources

        paths = self.paths()
        return Sources(
            config_file=paths.config_file,
            overrides_file=paths.overrides_file,
            environ=self.environ,
            flags=flags or {},
            is_config_required=self.config_file is not None,
        )


def session(ctx: typer.Context, config: Path | None = None) -> Session:
    """The session of this call; `--config` counts before and after the command's name, the latter more."""
    root = ctx.find_root().obj
    return Session(os.environ, config or (root.config_file if isinstance(root, Session) else None))
