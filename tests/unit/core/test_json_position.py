import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.json_position import describe
from iflow_cli_proxy.core.jsonx import JsonError

TEXT = b"""{
  "label": "a \\" tokens: {",
  "list": [{"tokens": 1}, "expires_at"],
  "tokens": {
    "nested": {"expires_at": 1},
    "expires_at": true
  },
  "state": 5
}
"""


def wrong(data: bytes) -> str:
    with pytest.raises(JsonError) as caught:
        jsonx.decode_strict(data)
    return describe(caught.value, data)


def test_a_broken_text_is_told_by_line_and_column() -> None:
    assert wrong(b'{\n  "a": ?\n}') == "line 2, column 8: invalid character"


def test_columns_count_characters_and_not_bytes() -> None:
    assert wrong('{"é": ?}'.encode()) == "line 1, column 7: invalid character"


def test_a_cut_text_ends_where_it_ends() -> None:
    assert wrong(b'{\n  "a": "b').startswith("line 2, column 10: ")


@pytest.mark.parametrize("data", [b"", b" \n\n"])
def test_an_empty_text_is_called_empty(data: bytes) -> None:
    assert wrong(data) == "it is empty"


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("state", "line 8, column 3: "),
        ("tokens", "line 4, column 3: "),
        ("tokens.expires_at", "line 6, column 5: "),
        ("tokens.nested.expires_at", "line 5, column 16: "),
        ("tokens.access_token", ""),
        ("list[0].tokens", ""),
    ],
)
def test_a_wrong_value_is_told_by_where_its_key_stands(path: str, where: str) -> None:
    assert describe(JsonError("Expected str, got bool", path), TEXT) == f"{where}Expected str, got bool ({path})"


def test_a_fault_of_the_whole_has_no_position() -> None:
    assert describe(JsonError("Expected an object"), b"[]") == "Expected an object"


def test_i45_a_value_of_the_file_is_not_repeated() -> None:
    error = JsonError("Invalid enum value 'sk-0123456789\nabcdef'", "state")
    assert describe(error, TEXT) == "line 8, column 3: Invalid enum value (state)"
