from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy import __version__
from iflow_cli_proxy.config.schema import Encryption, ProviderSettings, SecuritySettings, Settings
from iflow_cli_proxy.doctor.finding import Finding, Status
from iflow_cli_proxy.doctor.program import examine
from tests.support.machines import machine


def look(tmp_path: Path, settings: Settings, *missing: str) -> list[Finding]:
    here = machine(tmp_path, python="3.11.7", is_installed=lambda name: name not in missing)
    version, *rest = examine(here, settings)
    assert (version.status, version.text) == (Status.OK, f"version {__version__}, Python 3.11.7")
    return rest


def test_a_complete_program_says_its_version_and_no_more(tmp_path: Path) -> None:
    assert look(tmp_path, Settings()) == []


def test_without_uvloop_it_works_and_says_so(tmp_path: Path) -> None:
    (found,) = look(tmp_path, Settings(), "uvloop")

    assert (found.status, found.action) == (Status.NOTE, "pip install 'iflow2api[speed]'")


@pytest.mark.parametrize(
    ("kind", "missing", "is_failing"),
    [
        ("none", "keyring", False),
        ("keyring", "keyring", True),
        ("keyring", "cryptography", True),
        ("passphrase", "cryptography", True),
        ("passphrase", "keyring", False),
    ],
)
def test_what_encryption_needs_has_to_be_there(
    tmp_path: Path, kind: Encryption, missing: str, is_failing: bool
) -> None:
    found = look(tmp_path, Settings(security=SecuritySettings(encrypt=kind)), missing)

    assert [one.status for one in found] == ([Status.FAILURE] if is_failing else [])
    assert all("iflow2api[secure]" in one.action for one in found)


def test_mimic_needs_its_library(tmp_path: Path) -> None:
    table = ProviderSettings(transport="mimic")
    (found,) = look(tmp_path, Settings(providers={"desk": table}), "curl_cffi")

    assert (found.status, found.subject) == (Status.FAILURE, "curl_cffi")
