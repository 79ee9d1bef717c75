"""The lock for the tests says what pyproject.toml asks for, and every line of it can be checked (I60)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK: Final = (ROOT / "requirements" / "tests.txt").read_text(encoding="utf-8")
PINNED: Final = dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", LOCK, re.MULTILINE))


@pytest.mark.parametrize("wanted", [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]])
def test_i60_what_the_project_asks_for_is_pinned(wanted: str) -> None:
    requirement = Requirement(wanted)
    version = PINNED.get(canonicalize_name(requirement.name))

    assert version is not None, "stale: scripts/lock"
    assert requirement.specifier.contains(version), "stale: scripts/lock"


def test_i60_every_pin_has_hashes_and_nothing_else_is_installed() -> None:
    entries = re.split(r"^(?=\S)", re.sub(r"^ *#.*\n", "", LOCK, flags=re.MULTILINE), flags=re.MULTILINE)[1:]

    assert len(entries) == len(PINNED)
    assert not [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]


def test_i60_dependencies_stay_few() -> None:
    """A new one earns a decision record; then it is added here."""
    names = {Requirement(line).name for line in PROJECT["project"]["dependencies"]}

    assert names == {
        "aiohttp",
        "aiohttp-socks",
        "curl_cffi",
        "msgspec",
        "platformdirs",
        "prometheus-client",
        "rich",
        "segno",
        "tomli-w",
        "typer",
    }
