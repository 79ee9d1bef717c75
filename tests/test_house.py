"""The house keeps its own rules: who may import whom, what stays pure, which test belongs to which file.

The rules live in `tests/support/house.py`. Each is held against the package, one line per violation, and against a
few made-up modules, so that a rule which has stopped seeing anything is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support import house
from tests.support.cli import run_cli
from tests.support.house import Module

ROOT: Final = Path(__file__).parents[1]
Rule = Callable[[Iterable[Module]], Iterator[str]]

RULES: Final[tuple[Rule, ...]] = (
    house.wrong_arrows,
    house.relative_imports,
    house.eager_commands,
    house.strangers,
    house.impurities,
    house.json_back_doors,
    house.empty_names,
    house.long_files,
    house.silent_files,
    house.swallowed_errors,
    house.prints,
    house.blanket_ignores,
)

WITHOUT_A_TEST_OF_ITS_OWN: Final = {
    "__main__": "two lines; tests/cli/test_app.py runs it as a process",
    "protocols.base": "an interface and its value types; tests/contract holds every codec to it",
    "server.keys": "names of shared objects; nothing runs",
    "signin.place": "an interface; tests/unit/state holds both kinds of place to it",
    "providers.base": "an interface and its value types; tests/contract holds every provider to it",
}


@cache
def the_house() -> list[Module]:
    return house.read_house(ROOT)


def expect_none(violations: Iterable[str]) -> None:
    """Fail with the violations alone: the place and the reason, no traceback worth reading."""
    found = sorted(violations)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Rule) -> None:
    expect_none(rule(the_house()))


def test_every_module_has_the_test_that_bears_its_name() -> None:
    expect_none(house.unpaired(the_house(), ROOT / "tests", WITHOUT_A_TEST_OF_ITS_OWN))


def test_every_unit_test_bears_the_name_of_a_module() -> None:
    expect_none(house.orphans(the_house(), ROOT / "tests"))


def test_the_house_was_found() -> None:
    assert {"core.errors", "config.load", "cli.app"} <= {one.name for one in the_house()}


# --- the rules can fail -------------------------------------------------------------------------------------------

FLOOR: Final = [
    house.module("iflow_cli_proxy/cli/app.py", "from iflow_cli_proxy.cli import serve"),
    *(
        house.module(f"iflow_cli_proxy/{path}.py", "")
        for path in (
            "__init__",
            "cli/output",
            "config/schema",
            "core/jsonx",
            "demo/app",
            "gateway/exchange",
            "pool/pool",
            "protocols/__init__",
            "protocols/anthropic/__init__",
            "protocols/anthropic/wire",
            "protocols/base",
            "providers/__init__",
            "providers/errors",
            "providers/iflow/provider",
            "server/app",
            "telemetry/__init__",
            "transport/__init__",
            "transport/base",
            "transport/plain",
            "wiring/services",
        )
    ),
]
"""Modules for the made-up ones to reach, empty but for the root of the command line."""

WRONG: Final = [
    (house.wrong_arrows, "core/sse.py", "from iflow_cli_proxy.gateway import exchange"),
    (house.wrong_arrows, "routing/resolve.py", "from iflow_cli_proxy.pool.pool import Lease"),
    (house.wrong_arrows, "state/lock.py", "import iflow_cli_proxy.telemetry"),
    (house.wrong_arrows, "gateway/exchange.py", "from iflow_cli_proxy.providers.iflow.provider import IflowProvider"),
    (house.wrong_arrows, "gateway/exchange.py", "def f():\n    from iflow_cli_proxy.config.schema import Settings"),
    (house.wrong_arrows, "server/app.py", "from iflow_cli_proxy.transport.plain import PlainTransport"),
    (house.wrong_arrows, "server/app.py", "from iflow_cli_proxy import transport"),
    (house.wrong_arrows, "wiring/services.py", "from iflow_cli_proxy.server.app import build_app"),
    (house.wrong_arrows, "wiring/services.py", "from iflow_cli_proxy.demo import app"),
    (house.wrong_arrows, "demo/app.py", "from iflow_cli_proxy.gateway.exchange import Exchange"),
    (house.wrong_arrows, "attic/old.py", "from iflow_cli_proxy.core import jsonx"),
    (house.wrong_arrows, "protocols/gemini/stream.py", "from iflow_cli_proxy.protocols.anthropic.wire import PROTOCOL"),
    (house.wrong_arrows, "providers/qwen/provider.py", "from iflow_cli_proxy.providers.iflow.provider import URL"),
    (house.wrong_arrows, "providers/urls.py", "from iflow_cli_proxy.providers.iflow.provider import URL"),
    (house.relative_imports, "core/sse.py", "from . import errors"),
    (house.eager_commands, "cli/serve.py", "from iflow_cli_proxy.server.app import build_app"),
    (house.eager_commands, "cli/serve.py", "import rich"),
    (house.strangers, "gateway/exchange.py", "from aiohttp import web"),
    (house.strangers, "core/ids.py", "import requests"),
    (house.impurities, "pool/pool.py", "import asyncio"),
    (house.impurities, "routing/resolve.py", "from time import monotonic"),
    (house.impurities, "core/stage.py", "async def run() -> None: ..."),
    (house.json_back_doors, "server/app.py", "import json"),
    (house.json_back_doors, "state/accounts.py", "from json import dumps"),
    (house.json_back_doors, "server/app.py", "import msgspec\nx = msgspec.json.encode({})"),
    (house.empty_names, "core/utils.py", ""),
    (house.empty_names, "pool/account_manager.py", ""),
    (house.long_files, "core/sse.py", "x = 1\n" * 501),
    (house.silent_files, "core/sse.py", "x = 1"),
    (house.swallowed_errors, "pool/pool.py", "try: x\nexcept Exception: y"),
    (house.swallowed_errors, "pool/pool.py", "try: x\nexcept: y"),
    (house.swallowed_errors, "pool/pool.py", "try: x\nexcept (OSError, BaseException) as e: raise ValueError from e"),
    (house.prints, "server/app.py", "print(1)"),
    (house.blanket_ignores, "core/sse.py", "x = y  # type: ignore"),
]


@pytest.mark.parametrize(("rule", "path", "source"), WRONG)
def test_a_wrong_module_is_one_line(rule: Rule, path: str, source: str) -> None:
    found = [line for line in rule([*FLOOR, house.module(f"iflow_cli_proxy/{path}", source)]) if path in line]

    assert len(found) == 1


RIGHT: Final = [
    (house.wrong_arrows, "server/app.py", "from iflow_cli_proxy.wiring.services import Services"),
    (house.wrong_arrows, "gateway/exchange.py", "from iflow_cli_proxy.transport.base import Transport"),
    (house.wrong_arrows, "cli/serving.py", "from iflow_cli_proxy.demo.app import build"),
    (house.wrong_arrows, "providers/iflow/errors.py", "from iflow_cli_proxy.providers.errors import of_status"),
    (house.wrong_arrows, "protocols/__init__.py", "from iflow_cli_proxy.protocols import anthropic"),
    (house.eager_commands, "cli/serve.py", "import typer\ndef serve():\n    from aiohttp import web"),
    (house.eager_commands, "cli/serving.py", "from aiohttp import web"),
    (house.swallowed_errors, "state/lock.py", "try: x\nexcept BaseException:\n    y\n    raise"),
    (house.blanket_ignores, "core/sse.py", "x = y  # type: ignore[assignment]"),
    (house.json_back_doors, "core/jsonx.py", "import msgspec\nx = msgspec.json.encode({})"),
]


@pytest.mark.parametrize(("rule", "path", "source"), RIGHT)
def test_a_right_module_is_no_line(rule: Rule, path: str, source: str) -> None:
    assert list(rule([*FLOOR, house.module(f"iflow_cli_proxy/{path}", source)])) == []


def test_a_missing_test_a_needless_exemption_and_an_orphan_are_told(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    (tests / "unit" / "core").mkdir(parents=True)
    for name in ("test_ids.py", "test_gone.py"):
        (tests / "unit" / "core" / name).touch()
    modules = [
        house.module("iflow_cli_proxy/core/__init__.py", ""),
        house.module("iflow_cli_proxy/core/ids.py", "x = 1"),
        house.module("iflow_cli_proxy/core/sse.py", "x = 1"),
        house.module("iflow_cli_proxy/cli/serve.py", "x = 1"),
    ]

    assert list(house.unpaired(modules, tests, {"core.ids": "", "core.old": ""})) == [
        "iflow_cli_proxy/core/ids.py: has test_ids.py now; take it off the list of exemptions",
        "iflow_cli_proxy/core/sse.py: no tests/unit/core/test_sse.py",
        "iflow_cli_proxy/cli/serve.py: no tests/cli/test_serve.py",
        "the exemption for core.old is for no module of today",
    ]
    assert list(house.orphans(modules, tests)) == ["tests/unit/core/test_gone.py: no module bears this name"]


# --- words --------------------------------------------------------------------------------------------------------


def test_messages_name_only_commands_that_exist() -> None:
    expect_none(house.unknown_commands(the_house(), commands()))


def commands() -> set[str]:
    """Every command of the root, as its help lists them."""
    return set(re.findall(r"^│ ([a-z]+) ", run_cli("--help").out.partition("Commands")[2], re.MULTILINE))


def test_a_message_that_names_no_command_is_told() -> None:
    one = house.module("iflow_cli_proxy/core/errors.py", "HINT = 'run `iflow2api sing --loud`, then iflow2api serve'")

    assert list(house.unknown_commands([one], {"serve"})) == [
        "iflow_cli_proxy/core/errors.py:1: there is no command `iflow2api sing`"
    ]
