from __future__ import annotations

import pytest

from iflow_cli_proxy.cli.accounting.drawing import aligned, bar, buckets, columns, short, sparks


def test_a_bar_is_as_long_as_its_share_and_never_vanishes() -> None:
    assert [bar(value, 8, 4) for value in (0, 0.001, 1, 4, 8, 80)] == ["", "▏", "▌", "██", "████", "████"]
    assert [bar(value, 8, 4, is_plain=True) for value in (0, 0.001, 4, 8)] == ["", "#", "##", "####"]
    assert bar(1, 0, 4) == ""


def test_sparks_are_one_cell_for_each_number() -> None:
    assert sparks([0, 1, 4, 8]) == " ▁▄█"
    assert sparks([0, 0]) == "  "
    assert sparks([]) == ""
    assert sparks([1, 8], is_plain=True).isascii()


def test_columns_stand_on_the_floor() -> None:
    assert columns([16, 0, 4], height=2, thickness=3) == [
        "┤██",
        "│██    ▄▄",
        "└─────────",
    ]
    assert all(line.isascii() for line in columns([1, 2], height=3, thickness=2, is_plain=True))


def test_neighbours_are_added_up_until_they_fit() -> None:
    assert buckets([1, 2, 3, 4, 5], 5) == [1, 2, 3, 4, 5]
    assert buckets([1, 2, 3, 4, 5], 3) == [3, 7, 5]
    assert buckets([], 3) == []


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1234, "1.23k"), (56_700_000, "56.7M"), (2e9, "2G"), (999_999, "1M"), (999.6, "1k")],
)
def test_a_short_number(number: float, text: str) -> None:
    assert short(number) == text


def test_numbers_of_a_plain_table_stand_to_the_right() -> None:
    assert aligned([("a", "n"), ("bcd", "1"), ("", "100")], (False, True), "  ") == "a      n\nbcd    1\n     100"
