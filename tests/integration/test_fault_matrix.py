"""Rules R1 to R4: every fault, for each kind of answer and number of accounts, does what `docs/faults.md` says.

`pytest tests/integration/test_fault_matrix.py --regold` writes that file anew; review the diff.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.fault_matrix import CELLS, Cell, outcome_of, read_table, render

FILE: Final = Path(__file__).parents[2] / "docs" / "faults.md"


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[dict[str, tuple[str, ...]]]:
    """What the file says; with `--regold` it takes up what was seen."""
    lines = read_table(FILE)
    yield lines
    if request.config.getoption("--regold"):
        FILE.write_text(render(lines), "utf-8")


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name.replace(", ", "-").replace(" ", "_"))
async def test_a_fault_does_what_the_table_says(
    request: pytest.FixtureRequest, table: dict[str, tuple[str, ...]], cell: Cell
) -> None:
    found = await outcome_of(cell)
    if request.config.getoption("--regold"):
        table[cell.name] = found
    assert found == table.get(cell.name)


def test_the_file_holds_nothing_but_the_table(
    request: pytest.FixtureRequest, table: dict[str, tuple[str, ...]]
) -> None:
    if request.config.getoption("--regold"):
        pytest.skip("it is being written")
    assert list(read_table(FILE)) == [cell.name for cell in CELLS]
    assert FILE.read_text("utf-8") == render(table)
