import math
from collections.abc import Mapping
from typing import Any, Literal

import pytest

from iflow_cli_proxy.config import values
from iflow_cli_proxy.config.leaf import LeafSpec, Note
from iflow_cli_proxy.core.secret import Secret

Mood = Literal["calm", "wild"]


def spec(hint: Any, **note: Any) -> LeafSpec:
    return LeafSpec("it", hint, None, Note(help="It.", **note))


@pytest.mark.parametrize(
    ("hint", "raw", "value"),
    [
        (bool, True, True),
        (int, 5, 5),
        (float, 5, 5.0),
        (float, 0.5, 0.5),
        (str, "text", "text"),
        (Secret, "text", Secret("text")),
        (Mood, "wild", "wild"),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[Secret, ...], ["a"], (Secret("a"),)),
        (Mapping[str, str], {"a": "b"}, {"a": "b"}),
        (Mapping[str, tuple[str, ...]], {"a": ["b"]}, {"a": ("b",)}),
        (Mapping[str, object], {"a": {"b": [1]}}, {"a": {"b": [1]}}),
        (Mood | Mapping[str, str], "calm", "calm"),
        (Mood | Mapping[str, str], {"a": "b"}, {"a": "b"}),
    ],
)
def test_a_value_of_the_right_type_is_taken(hint: Any, raw: object, value: object) -> None:
    assert values.typed(spec(hint), raw) == value


@pytest.mark.parametrize(
    ("hint", "raw", "expected"),
    [
        (bool, 1, "true or false"),
        (int, True, "a whole number"),
        (int, 1.0, "a whole number"),
        (int, "1", "a whole number"),
        (float, "1", "a number"),
        (float, True, "a number"),
        (float, math.nan, "a number"),
        (float, math.inf, "a number"),
        (str, 1, "text"),
        (str, "a\nb", "without control characters"),
        (str, "a\udcff", "UTF-8"),
        (Secret, 1, "text"),
        (Mood, "wlid", 'one of calm, wild (did you mean "wild"?)'),
        (Mood, 1, "one of calm, wild"),
        (tuple[int, ...], 1, "a list of whole numbers"),
        (tuple[int, ...], [1, "2"], "a list of whole numbers"),
        (Mapping[str, str], [], "a table with text for each name"),
        (Mapping[str, str], {"a": 1}, "a table with text for each name"),
        (Mood | Mapping[str, str], "other", "one of calm, wild or a table"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_what_was_expected(hint: Any, raw: object, expected: str) -> None:
    with pytest.raises(values.Mismatch) as caught:
        values.typed(spec(hint), raw)

    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("low", "high", "raw", "expected"),
    [
        (0, 65535, 65536, "a whole number between 0 and 65535"),
        (1, None, 0, "a whole number, 1 or more"),
        (None, 9, 10, "a whole number, at most 9"),
    ],
)
def test_a_value_out_of_range_is_told_the_range(low: int | None, high: int | None, raw: int, expected: str) -> None:
    with pytest.raises(values.Mismatch, match=f"^{expected}$"):
        values.typed(spec(int, low=low, high=high), raw)


def test_an_absurd_whole_number_for_a_number_is_out_of_range_and_no_overflow() -> None:
    with pytest.raises(values.Mismatch):
        values.typed(spec(float, low=0, high=10), 10**400)


def test_a_check_has_the_last_word() -> None:
    checked = spec(str, check=lambda value: "" if value == "good" else "something good")

    assert values.typed(checked, "good") == "good"
    with pytest.raises(values.Mismatch, match="something good"):
        values.typed(checked, "bad")


def test_no_complaint_repeats_the_value() -> None:
    for hint in (Mood, int, tuple[int, ...], Mapping[str, int]):
        with pytest.raises(values.Mismatch) as caught:
            values.typed(spec(hint), "sk-canary")
        assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("hint", "text", "raw"),
    [
        (bool, "TRUE", True),
        (bool, "1", True),
        (bool, "off", False),
        (bool, "maybe", "maybe"),
        (int, "28_000", 28000),
        (int, "tcp://10.0.0.1:80", "tcp://10.0.0.1:80"),
        (int, "9" * 5000, "9" * 5000),
        (float, "6", 6.0),
        (str, "[as it is]", "[as it is]"),
        (tuple[int, ...], "429, 500,", [429, 500]),
        (tuple[int, ...], "[429, 500]", [429, 500]),
        (tuple[str, ...], "", []),
        (tuple[Secret, ...], "a,b", ["a", "b"]),
        (Mapping[str, str], '{ "claude-*" = "glm-5" }', {"claude-*": "glm-5"}),
        (Mapping[str, str], "nonsense", "nonsense"),
        (Mapping[str, str], "{}\nevil = 1", "{}\nevil = 1"),
        (Mapping[str, str], "[" * 100_000, "[" * 100_000),
        (Mood | Mapping[str, str], "calm", "calm"),
        (Mood | Mapping[str, str], '{ a = "b" }', {"a": "b"}),
        (object, "0.7", 0.7),
        (object, "words", "words"),
    ],
)
def test_text_means_what_the_type_makes_of_it(hint: Any, text: str, raw: object) -> None:
    assert values.from_text(hint, text) == raw


def test_plain_values_hold_no_secrets_unless_revealed() -> None:
    assert values.plain((Secret("sk-0123456789abcdef"),), reveal=False) == ["sk-…cdef"]
    assert values.plain(Secret("sk-0123456789abcdef"), reveal=True) == "sk-0123456789abcdef"
    url = Note(help="", is_url=True)
    assert values.plain("http://a:b@c", url, reveal=False) == "http://…@c"
    assert values.plain("http://a:b@c", url, reveal=True) == "http://a:b@c"
    hiding = Note(help="", hides_values=True)
    assert values.plain({"authorization": "0123456789abcdef"}, hiding, reveal=False) == {"authorization": "…cdef"}


def test_durations_print_without_a_needless_fraction_and_parameters_stay_as_they_are() -> None:
    assert repr(values.plain(5.0, Note(help=""), reveal=False)) == "5"
    assert repr(values.plain({"temperature": 1.0}, Note(help=""), reveal=False)) == "{'temperature': 1.0}"


def test_secrets_are_known_by_their_type() -> None:
    assert values.is_secret(spec(Secret))
    assert values.is_secret(spec(tuple[Secret, ...]))
    assert not values.is_secret(spec(str))


def test_a_description_names_the_range() -> None:
    assert values.describe(spec(int, low=1, high=9)) == "a whole number between 1 and 9"
