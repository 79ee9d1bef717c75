"""TOML edited as text."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.agents.toml_text import read, rendered, with_value

MINE = """# mine
model = "old" # the best
'odd key' = 1

[tui] # screen
theme = "dark"

[providers.desk]
url = "x"
"""


@pytest.mark.parametrize(
    ("name", "value", "before", "after"),
    [
        (("model",), "new", 'model = "old" # the best', 'model = "new" # the best'),
        (("odd key",), 2, "'odd key' = 1", '"odd key" = 2'),
        (("fresh",), True, "'odd key' = 1\n", "'odd key' = 1\nfresh = true\n"),
        (("tui", "theme"), "a#b", 'theme = "dark"', 'theme = "a#b"'),
        (("tui", "size"), 3, 'theme = "dark"\n', 'theme = "dark"\nsize = 3\n'),
        (("providers", "desk", "url"), "y", 'url = "x"', 'url = "y"'),
        (("providers", "new one", "url"), "y", 'url = "x"\n', 'url = "x"\n\n[providers."new one"]\nurl = "y"\n'),
    ],
)
def test_only_the_line_of_the_value_changes(name: tuple[str, ...], value: object, before: str, after: str) -> None:
    assert with_value(MINE, name, value) == MINE.replace(before, after)


def test_an_empty_file_begins_with_the_root() -> None:
    text = with_value(with_value("", ("a",), 1), ("t", "b"), [1, {"c": "d"}])

    assert read(text) == {"a": 1, "t": {"b": [1, {"c": "d"}]}}


def test_a_root_value_is_put_before_the_first_table() -> None:
    assert with_value("[t]\nx = 1\n", ("a",), 1) == "a = 1\n\n[t]\nx = 1\n"


@pytest.mark.parametrize("value", ['é"\\\n\t', 1, True, [], {"a b": "c"}, 1.5])
def test_a_value_is_read_back_as_it_was(value: object) -> None:
    assert read(f"x = {rendered(value)}") == {"x": value}
