"""Is the program itself complete: versions, and the optional parts that the settings need."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from iflow_cli_proxy import __version__
from iflow_cli_proxy.config.schema import Settings
from iflow_cli_proxy.doctor.finding import Finding, Group, Status
from iflow_cli_proxy.doctor.machine import Machine

_SEALS: Final = {"keyring": ("cryptography", "keyring"), "passphrase": ("cryptography",)}
"""What `security.encrypt` needs, of the extra `secure`."""

_finding = partial(Finding, group=Group.PROGRAM)


def examine(machine: Machine, settings: Settings) -> Iterator[Finding]:
    yield _finding(
        status=Status.OK, subject="iflow2api", text=f"version {__version__}, Python {machine.python}"
    )  # fmt: skip
    if machine.platform != "win32" and not machine.is_installed("uvloop"):
        yield _finding(
            status=Status.NOTE,
            subject="uvloop",
            text="is not installed; the gateway works without it, and faster with it",
            action="pip install 'iflow2api[speed]'",
        )
    kind = settings.security.encrypt
    missing = [name for name in _SEALS.get(kind, ()) if not machine.is_installed(name)]
    if missing:
        yield _finding(
            status=Status.FAILURE,
            subject=" and ".join(missing),
            text=f"not installed, and security.encrypt is {kind}: the accounts cannot be opened",
            action="pip install 'iflow2api[secure]'",
        )
    mimics = settings.upstream.transport == "mimic" or any(
        table.transport == "mimic" for table in settings.providers.values()
    )
    if mimics and not machine.is_installed("curl_cffi"):
        yield _finding(
            status=Status.FAILURE,
            subject="curl_cffi",
            text="not installed, and the transport mimic is set",
            action="iflow2api config set upstream.transport plain",
        )
