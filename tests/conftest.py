"""Options of the test run, and the language it reads."""

from __future__ import annotations

import os

import pytest

from iflow_cli_proxy.language import ENGLISH, of_locale

if of_locale(os.environ) != ENGLISH:
    os.environ["LC_ALL"] = "C.UTF-8"  # tests read English; those of other languages ask for them


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regold", action="store_true", help="rewrite tests/golden, tests/fitted and docs/faults.md")
