from collections.abc import Iterable
from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.events import Delta, PartEnded, PartKind, PartStarted, Sealed
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.anthropic.sequence import Sequence

Told = list[tuple[Any, ...]]


def told(wire: Iterable[bytes]) -> Told:
    """What frames say, in short."""
    out: Told = []
    for frame in run(Framer(), [b"".join(wire)]):
        event = jsonx.decode(frame.data)
        assert event["type"] == frame.event
        match event["type"]:
            case "content_block_start":
                out.append(("start", event["index"], event["content_block"]["type"]))
            case "content_block_delta":
                kind = event["delta"].pop("type").removesuffix("_delta")
                out.append((kind, event["index"], *event["delta"].values()))
            case _:
                out.append(("stop", event["index"]))
    return out


class Line:
    """A sequence that is told what to do in few words, and says in few words what went out."""

    def __init__(self) -> None:
        self.sequence = Sequence()

    def start(self, part: int, kind: PartKind = PartKind.TOOL_CALL) -> Told:
        call_id = f"t{part}" if kind is PartKind.TOOL_CALL else ""
        return told(self.sequence.start(PartStarted(part=part, kind=kind, id=call_id, name="f" if call_id else "")))

    def add(self, part: int, text: str) -> Told:
        return told(self.sequence.add(Delta(part=part, text=text)))

    def seal(self, part: int, kind: str, value: str) -> Told:
        return told(self.sequence.seal(Sealed(part=part, kind=kind, value=value)))

    def end(self, part: int) -> Told:
        return told(self.sequence.end(PartEnded(part=part)))


def test_text_goes_out_at_once() -> None:
    line = Line()

    assert line.start(0, PartKind.TEXT) == []
    assert line.add(0, "a") == [("start", 0, "text"), ("text", 0, "a")]
    assert line.add(0, '"\n') == [("text", 0, '"\n')]
    assert line.end(0) == [("stop", 0)]
    assert line.sequence.characters == 3


@pytest.mark.parametrize("kind", [PartKind.TEXT, PartKind.REFUSAL, PartKind.REASONING])
def test_a_part_with_nothing_in_it_has_no_block_and_takes_no_index(kind: PartKind) -> None:
    line = Line()
    assert line.start(0, kind) + line.add(0, "") + line.end(0) == []

    line.start(1, PartKind.TEXT)
    assert line.add(1, "a")[0] == ("start", 0, "text")


def test_thinking_is_always_signed() -> None:
    line = Line()
    line.start(0, PartKind.REASONING)
    assert line.add(0, "t") == [("start", 0, "thinking"), ("thinking", 0, "t")]
    assert line.end(0) == [("signature", 0, ""), ("stop", 0)]

    line.start(1, PartKind.REASONING)
    assert line.seal(1, "signature", "s") == [("start", 1, "thinking"), ("signature", 1, "s")]
    assert line.end(1) == [("stop", 1)]


def test_thinking_that_may_not_be_read_is_a_block_of_its_own() -> None:
    line = Line()
    line.start(0, PartKind.REASONING)
    assert line.seal(0, "redacted", "d") == [("start", 0, "redacted_thinking"), ("stop", 0)]
    assert line.add(0, "t") == [("start", 1, "thinking"), ("thinking", 1, "t")]
    assert line.seal(0, "redacted", "e") == [
        ("signature", 1, ""),
        ("stop", 1),
        ("start", 2, "redacted_thinking"),
        ("stop", 2),
    ]
    assert line.end(0) == []


def test_seals_of_other_protocols_and_of_other_parts_say_nothing() -> None:
    line = Line()
    line.start(0, PartKind.REASONING)
    assert line.seal(0, "encrypted", "x") == []
    line.end(0)
    line.start(1)
    assert line.seal(1, "signature", "x") == []


def test_calls_that_overlap_come_one_after_the_other() -> None:
    line = Line()
    assert line.start(0) == [("start", 0, "tool_use")]
    assert line.add(0, '{"a":') == [("input_json", 0, '{"a":')]
    assert line.start(1) == []
    assert line.add(1, '{"b":') == []
    assert line.start(2) == []
    assert line.end(2) == []
    assert line.add(0, "1}") == [("input_json", 0, "1}")]
    assert line.end(0) == [("stop", 0), ("start", 1, "tool_use"), ("input_json", 1, '{"b":')]
    assert line.add(1, "2}") == [("input_json", 1, "2}")]
    assert line.end(1) == [("stop", 1), ("start", 2, "tool_use"), ("stop", 2)]


def test_behind_a_call_that_is_whole_nothing_waits() -> None:
    line = Line()
    line.start(0)
    line.add(0, '{"a":1}')

    assert line.start(1) == [("stop", 0), ("start", 1, "tool_use")]
    assert line.add(0, " ") == []
    assert line.end(0) == []
    assert line.add(1, '{"b":2}') == [("input_json", 1, '{"b":2}')]
    line.start(2, PartKind.TEXT)
    assert line.add(2, "text") == [("start", 2, "text"), ("text", 2, "text")]
    assert line.end(2) + line.end(1) == [("stop", 2)]


def test_text_beside_a_call_without_arguments_waits_for_them() -> None:
    line = Line()
    line.start(0)
    assert line.start(1, PartKind.TEXT) + line.add(1, "text") == []
    assert line.add(0, "{}") == [("input_json", 0, "{}")]
    assert line.end(0) == [("stop", 0), ("start", 1, "text"), ("text", 1, "text")]


@pytest.mark.parametrize("pieces", [[], [""], ["null"], ["nu", "ll"], [" ", "null", "\n"]])
def test_no_arguments_are_no_pieces(pieces: list[str]) -> None:
    line = Line()
    line.start(0)

    assert [line.add(0, piece) for piece in pieces] == [[] for _ in pieces]
    assert line.end(0) == [("stop", 0)]


def test_what_only_began_like_null_is_sent_after_all() -> None:
    line = Line()
    line.start(0)

    assert line.add(0, " ") == []
    assert line.add(0, '{"a"') == [("input_json", 0, ' {"a"')]


def test_very_long_arguments_are_not_parsed_to_see_whether_they_are_whole() -> None:
    line = Line()
    line.start(0)
    line.add(0, '{"a":"')
    for _ in range(100):
        line.add(0, "x" * 1000)
    line.add(0, '"}')

    assert line.start(1) == []
    assert line.end(0) == [("stop", 0), ("start", 1, "tool_use")]
