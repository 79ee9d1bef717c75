from __future__ import annotations

import random

import pytest

from iflow_cli_proxy.gateway.overlap import LONGEST, OverlapTrim
from tests.support.seeds import for_each_seed

STORY = "Once upon a time there was a gateway that never lost a word."


def trimmed(said: str, *pieces: str) -> str:
    trim = OverlapTrim(said)
    return "".join([*(trim.feed(piece) for piece in pieces), trim.close()])


def test_what_is_said_twice_is_left_out() -> None:
    assert trimmed(STORY, "that never lost a word. The end.") == " The end."
    assert trimmed(STORY, STORY + " The end.") == " The end."
    assert trimmed(STORY, *"that never lost a word. The end.") == " The end."


@pytest.mark.parametrize("next_text", [" The end.", "lost a word", "a word. And another.", "", "Once upon another"])
def test_what_only_looks_alike_stays(next_text: str) -> None:
    assert trimmed(STORY, next_text) == next_text


@pytest.mark.parametrize("row", ["    }\n" * 5, "0, " * 20, "-" * 60, "\n" * 40, "| a | a | a | a |\n"])
def test_rows_that_repeat_are_no_overlap(row: str) -> None:
    assert trimmed(row * 3, row, "end") == row + "end"


def test_nothing_is_held_back_once_it_is_clear() -> None:
    trim = OverlapTrim(STORY)
    assert trim.feed("that nev") == ""
    assert trim.feed("ertheless") == "that nevertheless"
    assert trim.feed("that never lost a word.") == "that never lost a word."
    assert trim.close() == ""


def test_only_the_last_words_are_looked_at() -> None:
    long = "The quick brown fox. " + "x" * LONGEST
    assert trimmed(long, "The quick brown fox. ") == "The quick brown fox. "


def test_any_split_gives_the_same_text() -> None:
    def check(rng: random.Random) -> None:
        letters = rng.choice(("ab", "abcdefgh ", "01,\n"))
        said = "".join(rng.choices(letters, k=rng.randint(0, 60)))
        new = said[len(said) - rng.randint(0, len(said)) :] * rng.randint(0, 1) + "".join(rng.choices(letters, k=9))
        cuts = sorted(rng.choices(range(len(new) + 1), k=4))
        pieces = [new[a:b] for a, b in zip([0, *cuts], [*cuts, len(new)], strict=True)]
        assert trimmed(said, *pieces) == trimmed(said, new)
        assert new.endswith(trimmed(said, new))

    for_each_seed(2000, check)
