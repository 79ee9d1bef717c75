"""What the README says can be typed, written and followed. The block that installs and tests is run by `.ci/run`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from iflow_cli_proxy.config.load import ConfigText, load
from iflow_cli_proxy.core.errors import every_error
from iflow_cli_proxy.protocols.openai_errors import TABLE
from iflow_cli_proxy.providers.presets import presets
from tests.support.cli import run_cli

ROOT: Final = Path(__file__).parents[1]
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: Final = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMAND: Final = re.compile(r"(?:^|[`/ ])iflow2api((?: [a-z]+)+)((?: [^\n`]*)?)", re.MULTILINE)


def blocks(kind: str) -> list[str]:
    return [text for name, text in BLOCKS if name == kind]


def test_the_first_two_blocks_are_the_two_commands() -> None:
    first, second = blocks("sh")[:2]

    assert first.rstrip().endswith("iflow2api serve --demo")
    assert second.rstrip().endswith("pytest")
    assert README.index("<!-- .ci/run runs this block -->\n```sh\n" + second) > README.index(first)
    assert len(README[: README.index(second)].splitlines()) < 20


@pytest.mark.parametrize("line", sorted({match[0] for match in COMMAND.finditer(README)}))
def test_every_command_exists_with_its_flags(line: str) -> None:
    match = COMMAND.search(line)
    assert match is not None
    words = match[1].split()
    help_of = run_cli(*words, "--help")
    if help_of.code and len(words) > 1:
        help_of = run_cli(words[0], "--help")

    assert help_of.code == 0, help_of.err
    assert set(re.findall(r"--[a-z-]+", match[2])) <= set(re.findall(r"--[a-z-]+", help_of.out))


@pytest.mark.parametrize("text", blocks("toml"))
def test_every_piece_of_configuration_is_valid(text: str) -> None:
    assert tomllib.loads(text)
    load(config=ConfigText("config.toml", text), environ={})


@pytest.mark.parametrize("text", blocks("python"))
def test_every_piece_of_python_is_valid(text: str) -> None:
    compile(text, "README.md", "exec")


def test_every_preset_is_named_and_no_other() -> None:
    sentence = re.search(r"^Presets: (.*?)\.$", README, re.MULTILINE | re.DOTALL)
    assert sentence is not None

    assert set(re.findall(r"`(\w+)`", sentence[1].partition(". A model")[0])) == set(presets())


def test_the_codes_and_statuses_of_errors_are_true() -> None:
    rows = re.findall(r"^\| ([0-9, ]+) \|.*\|(.*)\|$", README, re.MULTILINE)
    codes = {code for _, cell in rows for code in re.findall(r"`(\w+)`", cell)}
    statuses = {int(each) for status, _ in rows for each in status.split(",")}
    kinds = {error.kind for error in every_error()}

    assert codes <= {row.code for kind, row in TABLE.items() if kind in kinds}
    assert statuses | {405, 417} == {row.status for row in TABLE.values()}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
