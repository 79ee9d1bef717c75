"""A settings file with our values in it, and everything else as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.agents.base import Change, Edit, FileKind
from iflow_cli_proxy.agents.editing import edited
from iflow_cli_proxy.core.errors import ConfigError


def edit(*changes: tuple[str, object], kind: FileKind = "json", only_if_absent: bool = False) -> Edit:
    made = (Change(name=tuple(name.split("/")), value=value, only_if_absent=only_if_absent) for name, value in changes)
    return Edit(path=Path("/home/me/settings"), kind=kind, changes=tuple(made))


@pytest.mark.parametrize("kind", ["json", "toml", "dotenv"])
def test_a_second_time_changes_nothing(kind: FileKind) -> None:
    wish = edit(("A", "1"), ("B", "two words"), kind=kind)
    once = edited(None, wish)

    assert edited(once, wish) == once


def test_line_ends_and_the_mark_at_the_beginning_stay() -> None:
    text = '\ufeff{\r\n  "a": 1 // one\r\n}\r\n'

    assert edited(text, edit(("b", 2))) == '\ufeff{\r\n  "a": 1, // one\r\n  "b": 2\r\n}\r\n'


def test_what_is_there_already_may_be_left() -> None:
    assert edited('{"a": 1}', edit(("a", 2), only_if_absent=True)) == '{"a": 1}'
    assert edited("{}", edit(("a/b", 2), only_if_absent=True)) == '{\n  "a": {\n    "b": 2\n  }\n}'


@pytest.mark.parametrize(
    ("kind", "text"), [("json", '{"a": '), ("json", "[]"), ("toml", "a = "), ("json", '{"a": 1} x')]
)
def test_a_damaged_file_is_not_touched(kind: FileKind, text: str) -> None:
    with pytest.raises(ConfigError, match="damaged") as caught:
        edited(text, edit(("b", 2), kind=kind))

    assert "/home/me" not in caught.value.message
    assert "--print" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        'providers = { a = { url = "x" } }\n',
        'k = """\nlong\n"""\n[providers.a]\nx = 1\n[providers]\na.url = 1\n',
    ],
)
def test_what_is_too_unusual_is_refused_rather_than_guessed(text: str) -> None:
    with pytest.raises(ConfigError):
        edited(text, edit(("providers/a/url", "y"), kind="toml"))
