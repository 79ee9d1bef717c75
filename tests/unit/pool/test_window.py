"""Sums over the last minute: never too small, soon forgotten, bounded."""

from __future__ import annotations

import random

from iflow_cli_proxy.pool.window import Window


def test_what_is_older_than_the_span_no_longer_counts() -> None:
    window = Window(60)
    window.add(100.2, 1, 50)
    window.forget(160.1)
    assert (window.first, window.second) == (1, 50)
    window.forget(160.2)
    assert (window.first, window.second, len(window)) == (0, 0, 0)


def test_sums_are_never_below_the_exact_ones_and_at_most_a_second_behind() -> None:
    rng = random.Random(7)
    window, events, now = Window(10), [], 0.0
    for _ in range(3000):
        now += rng.choice([0.0, 0.01, 0.3, 2.5])
        window.add(now, 1, 0)
        events.append(now)
        window.forget(now)
        assert window.first >= sum(1 for at in events if at + 10 > now)
        assert window.first <= sum(1 for at in events if at + 11 > now)


def test_memory_is_bounded_by_the_span_however_much_is_added() -> None:
    window = Window(60)
    for number in range(50_000):
        window.add(number / 100, 1, 1)
    assert len(window) <= 61


def test_the_earliest_moment_is_that_at_which_enough_is_forgotten() -> None:
    window = Window(60)
    for at in (0.5, 1.5, 2.5):
        window.add(at, 1, 10)
    assert window.earliest(3.0, lambda first, second: first <= 3) == 3.0
    assert window.earliest(3.0, lambda first, second: first <= 2) == 60.5
    assert window.earliest(3.0, lambda first, second: second <= 5) == 62.5


def test_a_correction_finds_its_second_and_leaves_the_others() -> None:
    window = Window(60)
    window.add(1.0, 1, 10)
    window.add(2.0, 1, 10)
    window.correct(1.3, -1, -10)
    window.forget(61.5)
    assert (window.first, window.second) == (1, 10)


def test_a_correction_of_what_is_forgotten_changes_nothing() -> None:
    window = Window(60)
    window.add(1.0, 1, 10)
    window.add(90.0, 1, 10)
    window.correct(1.0, -1, -10)
    assert (window.first, window.second) == (1, 10)
