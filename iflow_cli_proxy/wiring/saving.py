"""Settings that a command or the admin page writes: into overrides.toml, once what would come of them is known to be
fine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from iflow_cli_proxy.config.load import ConfigText, Sources
from iflow_cli_proxy.config.origin import InvalidConfig
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.core.errors import ConfigError
from iflow_cli_proxy.state.overrides import Override, set_overrides
from iflow_cli_proxy.state.paths import Paths
from iflow_cli_proxy.wiring.checking import checked

_UNSAVED: Final = " (not saved)"


def save_settings(
    sources: Sources,
    paths: Paths,
    changes: Sequence[Override],
    *,
    before: Callable[[], None] | None = None,
    adapt: Callable[[Settings], Settings] = lambda settings: settings,
) -> None:
    """Write settings together or not at all. `before` runs when they are fine and before they are saved; `adapt` is
    what the process makes of its settings, such as `serve --upstream`.

    Raises:
        ConfigError: with this the configuration would be wrong, or `serve` would refuse to start.
        StateError: overrides.toml cannot be read or written.
    """

    def check(new_text: str) -> None:
        settings, _ = sources.load_with(ConfigText(f"{paths.overrides_file}{_UNSAVED}", new_text))
        try:
            checked(adapt(settings), paths, sources.environ)
        except ConfigError as error:
            raise ConfigError(
                f"The gateway would not start with this, so nothing was changed. {error.message}",
                hint=error.hint,
                param=error.param,
            ) from error
        if before is not None:
            before()

    set_overrides(paths.overrides_file, changes, check=check)


def was_wrong_before(error: ConfigError) -> bool:
    """Whether it is about a source that nobody was about to write."""
    return isinstance(error, InvalidConfig) and not any(_UNSAVED in problem.place for problem in error.problems)
