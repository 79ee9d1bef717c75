"""`iflow2api version`: what is installed here, for a bug report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from iflow_cli_proxy import __version__
from iflow_cli_proxy.cli.output import print_json, print_table, print_text
from iflow_cli_proxy.cli.session import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterator


def version(as_json: JsonOption = False) -> None:
    """Show the versions of iflow2api, Python and the libraries that matter."""
    found = dict(_versions())
    if as_json:
        print_json(found)
    else:
        print_table(["what", "version"], found.items(), words=("version",))


def print_and_leave(asked: bool) -> None:
    """What `--version` does."""
    if asked:
        print_text(f"iflow2api {__version__}")
        raise typer.Exit


def _versions() -> Iterator[tuple[str, str]]:
    import platform
    from importlib import metadata

    yield "iflow2api", __version__
    yield "python", platform.python_version()
    yield "platform", platform.platform()
    for name in ("aiohttp", "curl_cffi", "msgspec", "typer"):
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, "missing"
    yield "curl", _curl_version()


def _curl_version() -> str:
    try:
        from curl_cffi.__version__ import __curl_version__
    except ImportError:  # a wheel for another platform
        return "missing"
    return str(__curl_version__)
