"""Files of variables, edited as text."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.agents.dotenv import read, with_value


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "A=new\n"),
        ("# mine\nB=1", "# mine\nB=1\nA=new\n"),
        ("export A=old\nB=1\n", "A=new\nB=1\n"),
        ("A=1\nA=2\n", "A=1\nA=new\n"),
        ("AA=1\n# A=2\n", "AA=1\n# A=2\nA=new\n"),
    ],
)
def test_one_variable_is_set_and_the_rest_stays(text: str, after: str) -> None:
    assert with_value(text, ("A",), "new") == after


def test_values_with_blanks_are_quoted_and_read_back() -> None:
    text = with_value("", ("A",), "two words # no comment")

    assert text == 'A="two words # no comment"\n'
    assert read(text) == {"A": "two words # no comment"}
