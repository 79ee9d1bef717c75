"""Tables that fit: columns that are left out, the least important first, where a screen is too narrow for all.

Knows widths. Refuses to know what stands in a cell. rich is imported only where something is drawn with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iflow_cli_proxy.cli.accounting.drawing import aligned
from iflow_cli_proxy.cli.folding import cells
from iflow_cli_proxy.cli.output import printable
from iflow_cli_proxy.cli.speech import spoken

if TYPE_CHECKING:
    from rich.table import Table

GAP: Final = "  "


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column; the greatest `rank` is the first to be left out where there is no room, 0 always stays."""

    name: str
    cells: Sequence[str]
    rank: int = 0
    is_right: bool = True
    is_picture: bool = False
    style: str = ""
    styles: Sequence[str] = ()
    """One for each cell, over the `style` of all."""

    @property
    def heading(self) -> str:
        return spoken(self.name)

    @property
    def width(self) -> int:
        return max(map(cells, (self.heading, *self.cells)))


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """As many as there is room for, in their order."""
    kept = list(columns)
    while width_of(kept) > width:
        spare = max(kept, key=lambda column: column.rank)
        if not spare.rank:
            break
        kept.remove(spare)
    return kept


def width_of(columns: Sequence[Column]) -> int:
    return sum(column.width + len(GAP) for column in columns) - len(GAP)


def cut(text: str, width: int) -> str:
    """Text from elsewhere, harmless and in at most so many cells; an ellipsis says that there is more."""
    from rich.cells import set_cell_size

    clean = printable(text).replace("\n", " ").replace("\t", " ")
    return clean if cells(clean) <= width else f"{set_cell_size(clean, width - 1).rstrip()}…"


def drawn(columns: Sequence[Column], *, has_total: bool = False, overflow: str = "fold") -> Table:
    """For a screen; with `has_total` the last row is one."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, len(GAP), 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.heading,
            justify="right" if column.is_right else "left",
            overflow="fold" if overflow == "fold" else "ellipsis",
            no_wrap=overflow != "fold",
            style=column.style,
        )
    styles = [column.styles or ("",) * len(column.cells) for column in columns]
    rows = list(zip(*(column.cells for column in columns), strict=True))
    for at, row in enumerate(rows):
        texts = (Text(cell, style[at]) for cell, style in zip(row, styles, strict=True))
        table.add_row(*texts, style="bold" if has_total and at == len(rows) - 1 else "")
    return table


def plain(columns: Sequence[Column]) -> str:
    """For a pipe: every column that is no picture."""
    shown = [column for column in columns if not column.is_picture]
    rows = [[column.heading for column in shown], *zip(*(column.cells for column in shown), strict=True)]
    return aligned(rows, [column.is_right for column in shown], GAP)
