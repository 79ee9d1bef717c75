from __future__ import annotations

import random

import pytest

from iflow_cli_proxy.core import grammar
from iflow_cli_proxy.core.assemble import assemble
from iflow_cli_proxy.core.events import (
    ChoiceEnded,
    Delta,
    Ended,
    Event,
    Failed,
    PartEnded,
    PartKind,
    PartStarted,
    Reply,
    Sealed,
    Started,
)
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.core.think_tags import ThinkTags
from tests.support.seeds import for_each_seed


def stream(*texts: str, is_whole: bool = True) -> list[Event]:
    parts = [Delta(part=0, text=text) for text in texts]
    end: list[Event] = [PartEnded(part=0), ChoiceEnded(), Ended()] if is_whole else [Failed(kind="x", message="cut")]
    return [Started(), PartStarted(part=0, kind=PartKind.TEXT), *parts, *end]


def told(*texts: str) -> list[tuple[str, str]]:
    events = run(ThinkTags(), stream(*texts))
    grammar.check(events)
    reply = assemble(events)
    assert isinstance(reply, Reply)
    return [(part.kind.value, part.text) for part in reply.choices[0].parts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>Hm.</think>Yes.", [("reasoning", "Hm."), ("text", "Yes.")]),
        ("<think>\nHm.\n</think>\n\nYes.", [("reasoning", "Hm.\n"), ("text", "Yes.")]),
        ("  \n<thinking>Hm.</thinking> Yes.", [("reasoning", "Hm."), ("text", " Yes.")]),
        ("<think>a < b </thin and on</think>Yes.", [("reasoning", "a < b </thin and on"), ("text", "Yes.")]),
        ("<think>never ended", [("reasoning", "never ended")]),
        ("<think></think>Yes.", [("text", "Yes.")]),
        ("<think>\n\n</think>\n\nYes.", [("text", "Yes.")]),
        ("<think></think>", []),
        ("<think>\n", []),
        ("<think>only</think>", [("reasoning", "only")]),
        ("Use <think> tags.</think>", [("text", "Use <think> tags.</think>")]),
        ("<thin ice>", [("text", "<thin ice>")]),
        ("<th", [("text", "<th")]),
        ("", [("text", "")]),
        ("Plain.", [("text", "Plain.")]),
    ],
)
def test_tags_at_the_beginning_are_thinking_however_they_are_cut(text: str, expected: list[tuple[str, str]]) -> None:
    assert told(text) == expected
    assert told(*text) == expected

    def law(rng: random.Random) -> None:
        cuts = sorted(rng.randrange(len(text) + 1) for _ in range(3))
        assert told(*(text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True))) == expected

    for_each_seed(30, law)


def test_text_goes_out_as_soon_as_it_is_known_to_be_text() -> None:
    stage = ThinkTags()
    stage.feed(PartStarted(part=0, kind=PartKind.TEXT))

    assert stage.feed(Delta(part=0, text="<thi")) == []
    assert [each.text for each in stage.feed(Delta(part=0, text="n air")) if isinstance(each, Delta)] == ["<thin air"]
    assert stage.feed(Delta(part=0, text="!")) == [Delta(part=0, text="!")]


def test_parts_beside_the_text_keep_what_is_theirs() -> None:
    events: list[Event] = [
        Started(),
        PartStarted(part=0, kind=PartKind.REASONING),
        Delta(part=0, text="first"),
        Sealed(part=0, kind="signature", value="s"),
        PartEnded(part=0),
        PartStarted(part=1, kind=PartKind.TEXT),
        PartStarted(part=2, kind=PartKind.TOOL_CALL, id="c", name="f"),
        Delta(part=1, text="<think>second</think>text"),
        Delta(part=2, text="{}"),
        PartEnded(part=2),
        PartEnded(part=1),
        PartStarted(part=3, kind=PartKind.TEXT),
        Delta(part=3, text="<think>quoted</think>"),
        PartEnded(part=3),
        ChoiceEnded(),
        Ended(),
    ]

    out = run(ThinkTags(), events)

    grammar.check(out)
    reply = assemble(out)
    assert isinstance(reply, Reply)
    assert sorted((part.kind.value, part.text) for part in reply.choices[0].parts) == [
        ("reasoning", "first"),
        ("reasoning", "second"),
        ("text", "<think>quoted</think>"),
        ("text", "text"),
        ("tool_call", "{}"),
    ]


def test_a_cut_stream_stays_cut() -> None:
    out = run(ThinkTags(), stream("<think>half", is_whole=False))

    grammar.check(out)
    assert isinstance(out[-1], Failed)
