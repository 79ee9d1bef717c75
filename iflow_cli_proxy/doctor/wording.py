"""How a doctor puts things: names, modes and paths as people write them."""

from __future__ import annotations

from pathlib import Path

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.saved import SavedAccount


def name_of(account: SavedAccount) -> str:
    return f"{account.provider}/{account.label}"


def shown(path: Path | str, home: Path) -> str:
    """With `~` for the home folder."""
    path = Path(path)
    return f"~/{path.relative_to(home)}" if path != home and path.is_relative_to(home) else str(path)


def mode_text(mode: int) -> str:
    return f"{mode & 0o7777:04o}"


def reason_of(error: Exception) -> str:
    """Why something could not be done, in the error's own words as far as they are fit to be shown."""
    if isinstance(error, GatewayError):
        return error.message
    if isinstance(error, TimeoutError):
        return "it took too long"
    said = error.strerror if isinstance(error, OSError) else ""
    return said or type(error).__name__
