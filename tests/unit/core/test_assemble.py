import pytest

from iflow_cli_proxy.core import grammar
from iflow_cli_proxy.core.assemble import Assembler, assemble, disassemble
from iflow_cli_proxy.core.events import (
    Choice,
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Extra,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    Reply,
    ReplyPart,
    Sealed,
    Started,
    StopReason,
    UsageReported,
)
from iflow_cli_proxy.core.usage import Usage


def test_parts_keep_their_order_their_choice_and_their_seals() -> None:
    events: list[Event] = [
        Started(id="i", model="m", created=7),
        PartStarted(part=0, kind=PartKind.REASONING),
        PartStarted(part=1, kind=PartKind.TOOL_CALL, choice=1, id="c", name="f"),
        Delta(part=0, text="h"),
        Delta(part=1, text='{"a":'),
        Delta(part=0, text="m"),
        Sealed(part=0, kind="signature", value="si"),
        Sealed(part=0, kind="signature", value="gn"),
        Delta(part=1, text="1}"),
        PartEnded(part=0),
        ChoiceEnded(reason=StopReason.MAX_TOKENS),
        PartEnded(part=1),
        ChoiceEnded(choice=1, reason=StopReason.OTHER, word="odd", stop_sequence="END"),
        Ended(),
    ]

    assert assemble(events) == Reply(
        id="i",
        model="m",
        created=7,
        choices=(
            Choice(
                parts=(ReplyPart(kind=PartKind.REASONING, text="hm", seals={"signature": "sign"}),),
                reason=StopReason.MAX_TOKENS,
            ),
            Choice(
                parts=(ReplyPart(kind=PartKind.TOOL_CALL, text='{"a":1}', id="c", name="f"),),
                reason=StopReason.OTHER,
                word="odd",
                stop_sequence="END",
            ),
        ),
    )


def test_a_failed_stream_has_no_reply() -> None:
    failure = Failed(kind="upstream_cut", message="m")

    assert assemble([Started(), PartStarted(part=0, kind=PartKind.TEXT), failure]) is failure


def test_a_later_usage_report_replaces_an_earlier_one() -> None:
    reports = [UsageReported(usage=Usage(prompt=1)), UsageReported(usage=Usage(prompt=1, completion=2))]
    reply = assemble([Started(), *reports, Ended()])

    assert isinstance(reply, Reply)
    assert reply.usage == Usage(prompt=1, completion=2)


def _extras(*pieces: dict[str, object], choice: int) -> object:
    extras = [Extra(protocol="p", fields=fields, choice=choice) for fields in pieces]
    reply = assemble([Started(), *extras, ChoiceEnded(), Ended()])
    assert isinstance(reply, Reply)
    return (reply.choices[0] if choice == 0 else reply).extras


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        ([{"logprobs": {"content": [1]}}, {"logprobs": {"content": [2, 3]}}], {"logprobs": {"content": [1, 2, 3]}}),
        ([{"logprobs": {"content": None}}, {"logprobs": {"content": [2]}}], {"logprobs": {"content": [2]}}),
        ([{"logprobs": {"content": [2]}}, {"logprobs": {"content": None}}], {"logprobs": {"content": [2]}}),
        ([{"logprobs": None}, {"logprobs": {"content": [2]}}], {"logprobs": {"content": [2]}}),
        (
            [{"message": {"notes": [1]}}, {"message": {"notes": [2], "x": "a"}}],
            {"message": {"notes": [1, 2], "x": "a"}},
        ),
        ([{"x": 1}, {"x": 2, "y": 3}], {"x": 2, "y": 3}),
        ([{"x": [1]}, {"x": "now text"}], {"x": "now text"}),
    ],
)
def test_lists_within_a_choice_come_in_pieces_and_are_joined(pieces: list[dict[str, object]], whole: object) -> None:
    assert _extras(*pieces, choice=0) == {"p": whole}


def test_of_the_whole_answer_the_last_word_counts() -> None:
    assert _extras({"citations": [1]}, {"citations": [1, 2]}, choice=-1) == {"p": {"citations": [1, 2]}}


def test_joining_leaves_the_events_as_they_were() -> None:
    first = {"logprobs": {"content": [1]}}
    _extras(first, {"logprobs": {"content": [2]}}, choice=0)

    assert first == {"logprobs": {"content": [1]}}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(),
        Reply(choices=(Choice(), Choice(reason=StopReason.END_TURN))[1:]),
        Reply(choices=(Choice(parts=(ReplyPart(kind=PartKind.TEXT),), reason=StopReason.END_TURN),)),
        Reply(
            id="i",
            choices=(
                Choice(parts=(ReplyPart(kind=PartKind.TOOL_CALL, id="c", name="f"),), reason=StopReason.TOOL_USE),
                Choice(parts=(ReplyPart(kind=PartKind.REASONING, seals={"encrypted": "e"}),)),
            ),
            usage=Usage(prompt=1),
            extras={"p": {"x": [1]}, "q": {"y": None}},
        ),
    ],
)
def test_a_reply_taken_apart_is_well_formed_and_collects_to_itself(reply: Reply) -> None:
    events = list(disassemble(reply))

    grammar.check(events)
    assert assemble(events) == reply


def test_how_far_a_stream_has_come_is_seen_while_it_is_collected() -> None:
    assembler = Assembler()
    assert (assembler.characters, assembler.is_thinking) == (0, False)
    assembler.feed(PartStarted(part=0, kind=PartKind.REASONING))
    assembler.feed(Delta(part=0, text="hm"))
    assert (assembler.characters, assembler.is_thinking) == (2, True)
    assembler.feed(PartStarted(part=1, kind=PartKind.TEXT))
    assembler.feed(Delta(part=1, text="four"))
    assert (assembler.characters, assembler.is_thinking) == (6, False)
