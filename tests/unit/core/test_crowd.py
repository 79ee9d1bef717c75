"""Counts, not timings: what is decoded and what is refused unread (RELIABILITY L10)."""

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.crowd import MAX_CONTAINERS, MAX_KEYS, is_crowded
from iflow_cli_proxy.core.jsonx import JsonError

MIB = 1_048_576
FILLER = b'"' + b"prose, with {braces} and [brackets]: " * 50_000 + b'"'


def items(unit: bytes, count: int) -> bytes:
    return b"[" + unit * count + b"0]"


DENSE = {
    "empty lists": (b"[],", 1),
    "empty objects": (b"{},", 1),
    "deep lists": (b"[" * 90 + b"]" * 90 + b",", 90),
    "objects": (b'{"a":1},', 1),
    "spaced objects": (b'{ "a" : [ ] },\n', 2),
}


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize("size", [MIB, 10 * MIB])
def test_l10_a_text_of_hardly_anything_but_brackets_is_refused_unread(name: str, size: int) -> None:
    unit, containers = DENSE[name]
    count = max(size // len(unit), MAX_CONTAINERS // containers + 1) if size > MIB else size // len(unit)
    text = items(unit, count)

    assert is_crowded(text) is (count * containers + 1 > MAX_CONTAINERS)
    assert not is_crowded(items(unit, 1000))


@pytest.mark.parametrize("filler", [b"0", FILLER], ids=["short", "long"])
def test_l10_the_limit_of_containers_is_exact_where_a_text_is_counted(filler: bytes) -> None:
    """The long one is mostly a string, and what stands in it does not count."""
    inner = (MAX_CONTAINERS - 2) * b"[],"
    text = b"[" + filler + b"," + inner + b"%b" + FILLER + b"]"

    assert not is_crowded(text % b"[],")
    assert is_crowded(text % b"[],{},")


def test_l10_the_limit_of_keys_is_exact() -> None:
    members = b",".join(b'"":1' for _ in range(MAX_KEYS))

    assert not is_crowded(b"{" + members + b"}")
    assert is_crowded(b"{" + members + b',"a" : 1}')


def test_l10_brackets_in_strings_are_no_containers() -> None:
    quoted = jsonx.encode("[[1,2],[3,4]]," * 400_000)
    code = jsonx.encode('{"a": ["\\\\", "\\""]},\n' * 300_000)

    assert not is_crowded(b'{"x":' + quoted + b"}")
    assert not is_crowded(b'{"x":' + code + b"}")
    assert jsonx.decode_strict(code)


def test_l10_brackets_behind_a_string_full_of_quotes_are_containers() -> None:
    ending = b'"' + b'\\\\\\"' * 1000 + b'\\\\",'  # ends in an escaped backslash, not in an escaped quote
    text = b"[" + FILLER + b"," + ending + b"[]," * (MAX_CONTAINERS + 1) + b"0]"

    assert is_crowded(text)


def test_l10_a_crowd_at_the_end_of_a_long_text_is_found() -> None:
    assert is_crowded(b"[" + FILLER + b"," + FILLER + b"," + b"[]," * (MAX_CONTAINERS + 1) + b"0]")


def test_l10_so_many_strings_that_nobody_can_take_them_out_are_a_crowd_only_among_brackets() -> None:
    strings = b'"",' * 600_000

    assert not is_crowded(b"[" + strings + b"0]")
    assert is_crowded(b'["' + b"[" * (MAX_CONTAINERS + 1) + b'",' + strings + b"0]")


@pytest.mark.parametrize("size", [200_000, MIB, 9 * MIB])
def test_an_honest_request_of_any_size_is_no_crowd(size: int) -> None:
    message = {
        "role": "user",
        "content": [{"type": "text", "text": "def f(a: dict) -> list: return [a[0], {}]\n" * 12}],
    }
    text = jsonx.encode({"model": "m", "messages": [message] * (size // 580)})

    assert not is_crowded(text)
    assert jsonx.decode_strict(text)["model"] == "m"


def test_l10_what_is_crowded_is_a_json_error_and_no_field_is_blamed_at_great_cost() -> None:
    crowd = b'{"x":' + items(b"[],", 500_000) + b"}"
    with pytest.raises(JsonError, match="more lists, objects or keys than anybody means"):
        jsonx.decode_strict(crowd)

    assert jsonx.field_at_fault(crowd) == "x"
    assert jsonx.field_at_fault(b"{" + b'"":1,' * 200_000 + b'"x":NaN}') == ""
    assert jsonx.field_at_fault(b"{" + b",".join(b'"%d":1' % at for at in range(1001)) + b',"x":NaN}') == ""
