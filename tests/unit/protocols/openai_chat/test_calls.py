import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.openai_chat.calls import Call, Calls
from iflow_cli_proxy.protocols.openai_chat.wire import WireFunctionDelta, WireToolDelta

Piece = tuple[int | None, str | None, str | None, str]
"""Index, id, name and arguments of one delta."""


def sorted_out(pieces: list[Piece]) -> list[tuple[str, str]]:
    """Name and arguments of each call, in the order in which they opened."""
    calls, opened, texts = Calls(), list[Call](), dict[int, str]()
    for index, call_id, name, arguments in pieces:
        function = WireFunctionDelta(name=name, arguments=arguments)
        delta = WireToolDelta(index=index, id=call_id, function=function)
        call = calls.find(delta)
        if call is None:
            call = Call(len(opened), name or "")
            opened.append(call)
        calls.remember(delta, call)
        call.add(arguments)
        texts[call.part] = texts.get(call.part, "") + arguments
    return [(call.name, texts[call.part]) for call in opened]


ONE = [("f", '{"a":1}')]
TWO = [("f", '{"a":1}'), ("g", '{"b":2}')]
TWINS = [("f", '{"a":1}'), ("f", '{"a":2}')]


@pytest.mark.parametrize(
    ("case", "pieces", "calls"),
    [
        ("as documented", [(0, "x", "f", ""), (0, None, None, '{"a"'), (0, None, None, ":1}")], ONE),
        ("the id in every piece", [(0, "x", "f", '{"a"'), (0, "x", None, ":1}")], ONE),
        ("id and name in every piece", [(0, "x", "f", '{"a"'), (0, "x", "f", ":1}")], ONE),
        ("an empty id in the pieces", [(0, "x", "f", '{"a"'), (0, "", "", ":1}")], ONE),
        ("the id comes late", [(0, None, "f", ""), (0, "x", None, '{"a":1}')], ONE),
        ("a new id for every piece", [(0, "x", "f", '{"a"'), (0, "y", None, ":1}")], ONE),
        ("no id, the name in every piece", [(0, None, "f", '{"a"'), (0, None, "f", ":1}")], ONE),
        ("neither index nor id in the pieces", [(None, "x", "f", ""), (None, None, None, '{"a":1}')], ONE),
        ("a piece before its call", [(0, None, None, '{"a"'), (0, None, None, ":1}")], [("", '{"a":1}')]),
        ("an index of its own but no name", [(0, "x", "f", '{"a"'), (3, None, None, ":1}")], ONE),
        (
            "interleaved",
            [(0, "x", "f", '{"a"'), (1, "y", "g", '{"b"'), (0, None, None, ":1}"), (1, None, None, ":2}")],
            TWO,
        ),
        (
            "interleaved without ids, one function",
            [(0, None, "f", '{"a"'), (1, None, "f", '{"a"'), (0, None, None, ":1}"), (1, None, None, ":2}")],
            TWINS,
        ),
        (
            "a new id on a used index",
            [(0, "x", "f", '{"a"'), (0, None, None, ":1}"), (0, "y", "g", '{"b"'), (0, None, None, ":2}")],
            TWO,
        ),
        (
            "a new id on an index whose call is not whole",
            [(0, "x", "f", '{"a"'), (0, "y", "g", '{"b":2}'), (0, "x", None, ":1}")],
            TWO,
        ),
        (
            "no index, ids of their own",
            [(None, "x", "f", '{"a"'), (None, None, None, ":1}"), (None, "y", "g", '{"b":2}')],
            TWO,
        ),
        ("no index, no ids, other names", [(None, None, "f", '{"a":1}'), (None, None, "g", '{"b":2}')], TWO),
        ("one index, no ids, whole", [(0, None, "f", '{"a":1}'), (0, None, "f", '{"a":2}')], TWINS),
        ("one index, no ids, other names", [(0, "", "f", '{"a":1}'), (0, "", "g", '{"b":2}')], TWO),
    ],
)
def test_every_piece_finds_its_call(case: str, pieces: list[Piece], calls: list[tuple[str, str]]) -> None:
    assert sorted_out(pieces) == calls


@pytest.mark.parametrize(
    ("pieces", "is_whole"),
    [([], False), (["{"], False), (["{", "}"], True), (['{"a":"', '}"'], False), (["x" * 70_000, "1"], False)],
)
def test_a_call_is_whole_when_its_arguments_are_json(pieces: list[str], is_whole: bool) -> None:
    call = Call(0, "f")
    for piece in pieces:
        call.add(piece)

    assert call.is_whole is is_whole


def test_very_long_arguments_are_not_parsed_again_and_again() -> None:
    call = Call(0, "f")
    call.add(jsonx.encode({"a": "x" * 70_000}).decode())

    assert not call.is_whole
