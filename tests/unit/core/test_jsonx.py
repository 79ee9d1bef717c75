from typing import Annotated, Any

import msgspec
import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import MAX_DEPTH, JsonError


class Inner(msgspec.Struct):
    role: str
    count: Annotated[int, msgspec.Meta(le=3)] = 0
    kind: Annotated[str, msgspec.Meta(pattern="^[a-z]*$")] = ""


class Outer(msgspec.Struct):
    items: list[Inner]
    name: str | None = None


NESTED = {
    "list": lambda depth: b"[" * depth + b"]" * depth,
    "object": lambda depth: b'{"a":' * depth + b"1" + b"}" * depth,
}

NOT_JSON = [
    b"", b" ", b"{", b"[1,]", b'{"a":1}x', b"nul", b"'a'", b'{"a" 1}', b"NaN", b"[Infinity]", b"-Infinity", b"1e400",
    b"[" * 100_000, b"9" * 5_000, b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\udc00 x"', b'"\\ud800\\u0041"',
    b'"a\nb"', b"\xff\xfe[\x00]\x00", b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 5_000, b"\xef\xbb\xbf" * 2 + b"1",
    b"01", b"+1",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_JSON, ids=lambda text: repr(text[:24]))
def test_whatever_is_wrong_with_a_text_is_a_json_error(text: bytes) -> None:
    for read in (jsonx.decode, jsonx.decode_strict, jsonx.raw_fields, jsonx.typed(Outer), jsonx.typed(list[Any])):
        with pytest.raises(JsonError) as caught:
            read(text)
        assert caught.value.what


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        (b' {"a":"\\u0000\\ud83d\\ude00"} ', {"a": "\x00😀"}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"1.0", 1.0),
        (b"null", None),
    ],
)
def test_unusual_texts_that_are_good(text: bytes, value: object) -> None:
    assert jsonx.decode(text) == jsonx.decode_strict(text) == value


@pytest.mark.parametrize("kind", NESTED)
def test_a_stranger_may_nest_as_deep_as_the_limit_and_no_deeper(kind: str) -> None:
    assert jsonx.decode_strict(NESTED[kind](MAX_DEPTH))
    with pytest.raises(JsonError, match="nested deeper than 100"):
        jsonx.decode_strict(NESTED[kind](MAX_DEPTH + 1))


def test_many_brackets_are_not_depth() -> None:
    assert len(jsonx.decode_strict(b"[" + b"[{}]," * 1000 + b"0]")) == 1001
    assert jsonx.decode_strict(b'"' + b"[" * 1000 + b'"') == "[" * 1000


@pytest.mark.parametrize(("value", "depth"), [(1, 0), ([], 1), ([1, [2]], 2), ({"a": [{"b": 1}]}, 3), ([{}, [[]]], 3)])
def test_depth_counts_lists_and_objects(value: object, depth: int) -> None:
    assert not jsonx.is_deeper(value, depth)
    assert depth == 0 or jsonx.is_deeper(value, depth - 1)


@pytest.mark.parametrize(
    ("text", "what", "path"),
    [
        (b"{}", "Field required", "items"),
        (b'{"items":[{"role":"a"},{}]}', "Field required", "items[1].role"),
        (b'{"items":[{"role":1}]}', "Expected str, got int", "items[0].role"),
        (b'{"items":[{"role":"a","count":4}]}', "Expected int <= 3", "items[0].count"),
        (b'{"items":[{"role":"a","kind":"B"}]}', "Text of another form than is expected here", "items[0].kind"),
        (b'{"items":5}', "Expected array, got int", "items"),
        (b"[]", "Expected object, got array", ""),
    ],
)
def test_a_wrong_shape_is_named_by_its_path(text: bytes, what: str, path: str) -> None:
    with pytest.raises(JsonError) as decoded:
        jsonx.typed(Outer)(text)
    with pytest.raises(JsonError) as converted:
        jsonx.convert(jsonx.decode(text), Outer)

    assert (decoded.value.what, decoded.value.path) == (what, path)
    assert (converted.value.what, converted.value.path) == (what, path)


@pytest.mark.parametrize(
    ("value", "shape", "path"),
    [
        ({"role": 1}, Inner, "here.role"),
        ({}, Inner, "here.role"),
        (5, Inner, "here"),
        ([{}], list[Inner], "here[0].role"),
    ],
)
def test_a_converted_value_is_named_from_where_it_stands(value: object, shape: type[object], path: str) -> None:
    with pytest.raises(JsonError) as caught:
        jsonx.convert(value, shape, "here")

    assert caught.value.path == path


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (b'{"a":1,"b":1e400}', "b"),
        (b'{"a":[%b],"b":1}' % (b"9" * 5_000), "a"),
        (b'{"a":"ok","b":["\xff"]}', "b"),
        (b'{"a":%b}' % NESTED["list"](200), "a"),
        (b'{"a":1}', ""),
        (b'{"a":', ""),
        (b"[1e400]", ""),
    ],
)
def test_the_field_at_fault_is_found_when_the_rest_can_be_read(text: bytes, field: str) -> None:
    assert jsonx.field_at_fault(text) == field


@pytest.mark.parametrize(("text", "is_cut"), [(b'{"a":', True), (b"", True), (b'{"a":}', False), (b"<html>", False)])
def test_a_text_that_stops_short_is_told_from_a_wrong_one(text: bytes, is_cut: bool) -> None:
    with pytest.raises(JsonError) as caught:
        jsonx.decode(text)

    assert caught.value.is_cut is is_cut


def test_raw_fields_keep_their_bytes_and_the_last_of_a_repeated_one_wins() -> None:
    fields = jsonx.raw_fields(b'{"a": 1.50 ,"b":[1, 2],"a":"x\\u00e9"}')

    assert {name: bytes(raw) for name, raw in fields.items()} == {"a": b'"x\\u00e9"', "b": b"[1, 2]"}
    assert jsonx.encode({"c": fields}) == b'{"c":{"a":"x\\u00e9","b":[1, 2]}}'


def test_encoding_is_compact_utf8_and_never_says_nan() -> None:
    assert jsonx.encode({"a": [1, None, "é\u2028"]}) == '{"a":[1,null,"é\u2028"]}'.encode()
    assert jsonx.encode([float("nan"), float("inf")]) == b"[null,null]"


def test_without_is_a_copy() -> None:
    fields = {"a": 1, "b": 2}

    assert jsonx.without(fields, "a", "zzz") == {"b": 2}
    assert fields == {"a": 1, "b": 2}


def test_a_struct_becomes_plain_values() -> None:
    assert jsonx.to_builtins(Outer(items=[Inner(role="a")])) == {
        "items": [{"role": "a", "count": 0, "kind": ""}],
        "name": None,
    }


def test_indented_text_means_the_same_and_ends_its_last_line() -> None:
    value = {"a": [1, 2.5], "b": {"ü": None}}

    text = jsonx.indented(value)

    assert jsonx.decode(text) == value
    assert text.splitlines()[:2] == [b"{", b'  "a": [']
    assert text.endswith(b"}\n")
