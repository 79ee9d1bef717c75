from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.providers.discovery import FileText, Finding
from iflow_cli_proxy.providers.sign_in_file import decode_object, read_object

PATH = Path("/home/me/creds.json")


def read(content: bytes | OSError | None) -> tuple[dict[str, Any], float] | Finding | None:
    def reader(path: Path) -> FileText | None:
        assert path == PATH
        if isinstance(content, OSError):
            raise content
        return None if content is None else FileText(data=content, modified_at=1.0)

    return read_object(reader, PATH, "sign in again")


def test_a_file_that_is_not_there_is_nothing_to_talk_about() -> None:
    assert read(None) is None


def test_an_object_is_read() -> None:
    assert read(b'{"a": 1}') == ({"a": 1}, 1.0)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b'{\n "a": 1,\n "b" 2}', "line 3, column 6: "),
        (b'{\n "a": "xy', "line 2, column 10: "),
        (b"[]", "it does not hold a JSON object"),
        (b'{"a": "\xff"}', "UTF-8"),
    ],
)
def test_f53_a_damaged_file_is_told_with_its_place(content: bytes, problem: str) -> None:
    found = read(content)
    assert isinstance(found, Finding)
    assert found.where == str(PATH)
    assert problem in found.problem
    assert found.hint == "move it away, then sign in again"


def test_a_file_that_cannot_be_read_is_told() -> None:
    found = read(PermissionError(13, "Permission denied"))
    assert isinstance(found, Finding)
    assert found.problem == "cannot be read: Permission denied"


def test_anything_but_an_object_is_refused() -> None:
    with pytest.raises(JsonError):
        decode_object(b"null")
