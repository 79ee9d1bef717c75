from __future__ import annotations

import time
from time import perf_counter
from typing import Any

import pytest

from iflow_cli_proxy.core.repair import Turn, is_json, mended_arguments, results_of

SAID = Turn()


def calls(*ids: str) -> Turn:
    return Turn(calls=ids)


def result(id: str) -> Turn:
    return Turn(answers=id)


def test_results_are_found_by_the_ids_of_their_calls() -> None:
    assert results_of([calls("a", "b"), result("a"), result("b"), SAID]) == {0: (1, 2)}
    assert results_of([calls("a", "b"), SAID, result("b"), result("a")]) == {0: (3, 2)}


def test_results_right_behind_their_calls_keep_their_order() -> None:
    assert results_of([calls("a", "b"), result("b"), result("a")]) == {0: (1, 2)}


def test_a_call_may_have_no_result_and_a_result_no_call() -> None:
    assert results_of([result("a"), calls("a", "b"), result("b"), result("b"), result("c")]) == {1: (None, 2)}
    assert results_of([SAID, SAID]) == {}


def test_a_result_may_come_after_other_calls() -> None:
    assert results_of([calls("a"), calls("b"), result("a"), result("b")]) == {0: (2,), 1: (3,)}


def test_an_id_used_again_belongs_to_the_last_call_that_waits() -> None:
    assert results_of([calls("x"), result("x"), calls("x"), result("x")]) == {0: (1,), 2: (3,)}
    assert results_of([calls("x"), calls("x"), result("x")]) == {0: (None,), 1: (2,)}
    assert results_of([calls("x", "x"), result("x"), result("x")]) == {0: (1, 2)}


@pytest.mark.parametrize("good", ["{}", '{"a": [1, "}"]}', " {} ", "[]", "null"])
def test_good_arguments_stay_as_they_are(good: str) -> None:
    assert is_json(good)
    assert mended_arguments(good) == good


@pytest.mark.parametrize(
    ("given", "mended"),
    [
        (None, "{}"),
        ("", "{}"),
        ("  \n", "{}"),
        ({"a": 1}, '{"a":1}'),
        ({}, "{}"),
        ('{"a": "b', '{"a": "b"}'),
        ('{"a": [1, {"b": "c\\"', '{"a": [1, {"b": "c\\""}]}'),
        ('{"a": 1', '{"a": 1}'),
    ],
)
def test_arguments_are_made_whole(given: Any, mended: str) -> None:
    assert mended_arguments(given) == mended


@pytest.mark.parametrize("hopeless", ["{'a': 1}", "{a: 1}", '{"a":', "hello", '{"a": 1}}', '{"a": "\ud800"}'])
def test_what_cannot_be_made_whole_is_none(hopeless: str) -> None:
    assert not is_json(hopeless)
    assert mended_arguments(hopeless) is None


@pytest.mark.parametrize(
    ("given", "mended"),
    [
        ('{"a": "\\\\', '{"a": "\\\\"}'),
        ('{"a{": ["b]", {"c": "}', '{"a{": ["b]", {"c": "}"}]}'),
        ('{"a": "b", "c": {"d": []', '{"a": "b", "c": {"d": []}}'),
        ('{"a": "line\n', None),
        ('{"a": "b\\', None),
    ],
)
def test_brackets_and_quotes_in_strings_close_nothing(given: str, mended: str | None) -> None:
    assert mended_arguments(given) == mended


@pytest.mark.parametrize("filling", ["x", "[", '"",', "[],", "\\n", '"'])
def test_l10_a_huge_text_that_was_cut_off_keeps_nobody_waiting(filling: str) -> None:
    began = perf_counter()
    assert mended_arguments('{"a":["' + filling * (10_000_000 // len(filling))) is None
    assert perf_counter() - began < 0.5


def test_a_long_file_that_was_cut_off_is_still_made_whole() -> None:
    cut = '{"path":"a.py","content":"' + "print(1)\\n" * 50_000
    assert mended_arguments(cut) == cut + '"}'


def test_l10_thousands_of_calls_and_results_under_one_id_take_no_time() -> None:
    many = 10_000
    turns = [Turn(calls=("a",) * many), *(Turn(answers="a") for _ in range(many))]

    began = time.process_time()
    found = results_of(turns)

    assert found == {0: tuple(range(1, many + 1))}
    assert time.process_time() - began < 1.0
