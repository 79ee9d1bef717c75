"""Tables that fit."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from iflow_cli_proxy.cli.columns import Column, cut, drawn, fitting, plain, width_of

COLUMNS = [
    Column(name="name", cells=["a", "bcdef"], is_right=False),
    Column(name="many", cells=["1", "12,345"], rank=2),
    Column(name="bar", cells=["███", "█"], rank=3, is_picture=True),
    Column(name="few", cells=["x", "y"], rank=1),
]


def names(width: int) -> list[str]:
    return [column.name for column in fitting(COLUMNS, width)]


def test_the_least_important_go_first_and_the_others_keep_their_order() -> None:
    full = width_of(COLUMNS)
    assert full == 5 + 2 + 6 + 2 + 3 + 2 + 3
    assert names(full) == ["name", "many", "bar", "few"]
    assert names(full - 1) == ["name", "many", "few"]
    assert names(12) == ["name", "few"]
    assert names(5) == names(1) == ["name"], "what matters stays however narrow it is"


def test_wide_letters_count_twice() -> None:
    assert Column(name="n", cells=["工作账号"]).width == 8


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("工作账号", 8, "工作账号"),
        ("工作账号", 7, "工作账…"),
        ("工作账号", 6, "工作…"),
        ("a b", 2, "a…"),
        ("\x1b[2Jgone\n", 20, "\N{REPLACEMENT CHARACTER}[2Jgone "),
        ("", 3, ""),
    ],
)
def test_what_is_too_long_is_cut_and_harmless(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown
    assert cell_len(cut(text, width)) <= width


def test_a_pipe_gets_every_column_that_is_no_picture() -> None:
    assert plain(COLUMNS).splitlines() == ["name     many  few", "a           1    x", "bcdef  12,345    y"]


def test_each_cell_has_its_style_and_a_total_stands_out() -> None:
    column = Column(name="n", cells=["good", "bad"], styles=["green", "red"], is_right=False)
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system="standard", width=20).print(drawn([column], has_total=True))
    text = out.getvalue()
    assert "\x1b[32mgood" in text
    assert "\x1b[1;31mbad" in text
