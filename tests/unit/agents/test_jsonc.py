"""JSON with comments, edited as text."""

from __future__ import annotations

import random

import pytest

from iflow_cli_proxy.agents.jsonc import read, with_value
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError

COMMENTED = """// mine
{
    "a": 1, // one
    /* two: "a": 9 */ "b": {"c": "// no comment", "d": [1, 2,],},
    "e": "x" /* last */
}
"""


@pytest.mark.parametrize(
    ("text", "name", "after"),
    [
        ("", ("a",), '{\n  "a": 7\n}\n'),
        ("// only this\n", ("a",), '// only this\n{\n  "a": 7\n}\n'),
        ("{}", ("a", "b"), '{\n  "a": {\n    "b": 7\n  }\n}'),
        ('{"a": 1}', ("a",), '{"a": 7}'),
        ('{"a": 1}', ("b",), '{"a": 1, "b": 7}'),
        ('{"a": {"x": 1}}', ("a", "y"), '{"a": {"x": 1, "y": 7}}'),
        ('{"a": null}', ("a", "y"), '{"a": {\n  "y": 7\n}}'),
        ('{\n\t"a": 1\n}', ("b",), '{\n\t"a": 1,\n\t"b": 7\n}'),
        ('{\n  "a": 1,\n}', ("b",), '{\n  "a": 1,\n  "b": 7\n}'),
        ('{\n  "a": 1, // one\n}', ("b",), '{\n  "a": 1, // one\n  "b": 7\n}'),
        ('{\n  "a": 1 /* on\n  and on */\n}', ("b",), '{\n  "a": 1,\n  "b": 7 /* on\n  and on */\n}'),
        ('{\n  "a": 1 }', ("b",), '{\n  "a": 1,\n  "b": 7 }'),
        ("{ // nothing yet\n}", ("b",), '{ // nothing yet\n  "b": 7\n}'),
        ('{"a": 1, "a": 2}', ("a",), '{"a": 1, "a": 7}'),
    ],
)
def test_only_what_has_to_change_does(text: str, name: tuple[str, ...], after: str) -> None:
    assert with_value(text, name, 7) == after


def test_comments_order_and_strings_that_look_like_comments_stay() -> None:
    after = with_value(with_value(COMMENTED, ("b", "new"), True), ("e",), "y")

    assert after == COMMENTED.replace("[1, 2,],}", '[1, 2,], "new": true,}').replace('"e": "x"', '"e": "y"')
    assert read(after) == {"a": 1, "b": {"c": "// no comment", "d": [1, 2], "new": True}, "e": "y"}


@pytest.mark.parametrize("text", ["[]", "{", '"x"', '{"a": 1,, "b": 2}', "{a: 1}"])
def test_what_is_no_object_is_said(text: str) -> None:
    with pytest.raises(JsonError):
        read(text)


def test_any_tree_takes_any_value_anywhere() -> None:
    chance = random.Random(5)
    names = ("a", "b", 'quo"te', "// slashes", "ü")
    for _ in range(300):
        tree = {
            name: chance.choice([1, "x", None, {}, {"a": 1}, ["]", {"b": "}"}]])
            for name in names[: chance.randrange(5)]
        }
        text = jsonx.indented(tree).decode() if chance.random() < 0.5 else jsonx.encode(tree).decode()
        path = tuple(chance.choice(names) for _ in range(chance.randrange(1, 4)))

        after = read(with_value(text, path, [1]))

        found = after
        for word in path:
            found = found[word]
        assert found == [1]
        assert {name: value for name, value in after.items() if name != path[0]} == {
            name: value for name, value in tree.items() if name != path[0]
        }
