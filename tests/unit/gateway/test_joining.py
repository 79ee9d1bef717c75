from __future__ import annotations

import random

from iflow_cli_proxy.core import grammar
from iflow_cli_proxy.core.assemble import assemble
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
from iflow_cli_proxy.gateway.joining import Joiner
from tests.support.seeds import for_each_seed

CUT = StopReason.MAX_TOKENS
DONE = StopReason.END_TURN


def spoken(*parts: tuple[PartKind, str], reason: StopReason = CUT, usage: Usage | None = None) -> list[Event]:
    """One answer; each text comes in two pieces."""
    events: list[Event] = [Started(id="c1", model="m", created=1)]
    for number, (kind, text) in enumerate(parts):
        half = len(text) // 2
        events += [
            PartStarted(part=number, kind=kind, name="f" if kind is PartKind.TOOL_CALL else ""),
            Delta(part=number, text=text[:half]),
            Delta(part=number, text=text[half:]),
            PartEnded(part=number),
        ]
    events.append(ChoiceEnded(reason=reason))
    return [*events, *([UsageReported(usage=usage)] if usage else []), Ended()]


def text(said: str) -> tuple[PartKind, str]:
    return PartKind.TEXT, said


def thought(said: str) -> tuple[PartKind, str]:
    return PartKind.REASONING, said


CALL = (PartKind.TOOL_CALL, "{}")


def joined(*answers: list[Event], times: int = 5) -> list[Event]:
    """All events of the whole, of as many of the answers as are wanted."""
    joiner = Joiner(times)
    out: list[Event] = []
    for answer in answers:
        if not joiner.is_first:
            assert joiner.wants_more
            joiner.go_on()
        out += [event for one in answer for event in joiner.feed(one)]
        if not joiner.wants_more:
            break
    if joiner.wants_more:
        out += joiner.finish()
    grammar.check(out)
    return out


def whole(*answers: list[Event], times: int = 5) -> Reply:
    found = assemble(joined(*answers, times=times))
    assert isinstance(found, Reply)
    return found


def parts(reply: Reply) -> list[tuple[PartKind, str]]:
    [choice] = reply.choices
    return [(part.kind, part.text) for part in choice.parts]


def wants_more(answer: list[Event], times: int = 5) -> bool:
    joiner = Joiner(times)
    for event in answer:
        joiner.feed(event)
    return joiner.wants_more


def test_an_answer_that_was_not_cut_is_passed_on() -> None:
    answer = spoken(thought("hm"), text("all of it"), reason=DONE, usage=Usage(prompt=1, completion=2))
    assert assemble(joined(answer)) == assemble(answer)


def test_the_text_goes_on_in_the_same_part_and_ends_as_the_last_one_does() -> None:
    reply = whole(spoken(text("Hel")), spoken(text("lo wo")), spoken(text("rld"), reason=DONE))
    assert parts(reply) == [text("Hello world")]
    assert reply.choices[0].reason is DONE


def test_thinking_is_not_repeated() -> None:
    reply = whole(spoken(thought("let me see"), text("One, ")), spoken(thought("again"), text("two."), reason=DONE))
    assert parts(reply) == [thought("let me see"), text("One, two.")]


def test_usage_is_added_and_a_later_report_of_one_answer_replaces_the_earlier() -> None:
    first = spoken(text("a"), usage=Usage(prompt=10, completion=5, cached=2))
    first.insert(2, UsageReported(usage=Usage(prompt=10, completion=1)))
    reply = whole(first, spoken(text("b"), reason=DONE, usage=Usage(prompt=15, completion=7, reasoning=3)))
    assert reply.usage == Usage(prompt=25, completion=12, cached=2, reasoning=3)


def test_what_a_further_answer_repeats_is_left_out() -> None:
    reply = whole(
        spoken(text("It was the best of times, it was the")), spoken(text("it was the worst of times."), reason=DONE)
    )
    assert parts(reply) == [text("It was the best of times, it was theit was the worst of times.")], "too short to tell"
    reply = whole(
        spoken(text("It was the best of times, it was the")), spoken(text("times, it was the worst."), reason=DONE)
    )
    assert parts(reply) == [text("It was the best of times, it was the worst.")]


def test_it_is_asked_on_only_so_often() -> None:
    answers = [spoken(text(word)) for word in ("a", "b", "c", "d")]
    reply = whole(*answers, times=2)
    assert (parts(reply), reply.choices[0].reason) == ([text("abc")], CUT)
    assert not wants_more(spoken(text("a")), times=0)


def test_only_text_that_was_cut_is_asked_on() -> None:
    assert wants_more(spoken(text("a")))
    assert wants_more(spoken(thought("hm"), text("a")))
    assert not wants_more(spoken(text("a"), reason=DONE))
    assert not wants_more(spoken(text("a"), reason=StopReason.CONTENT_FILTER))
    assert not wants_more(spoken(thought("hm")))
    assert not wants_more(spoken(text("a"), thought("hm")))
    assert not wants_more(spoken(text("a"), CALL))
    assert not wants_more(spoken(CALL, text("a")))
    assert not wants_more(spoken((PartKind.REFUSAL, "no")))
    assert not wants_more(spoken(text("")))


def test_two_answers_to_one_question_are_passed_on() -> None:
    reply = Reply(choices=(Choice(parts=(ReplyPart(kind=PartKind.TEXT, text="a"),), reason=CUT),) * 2)
    events: list[Event] = [
        Started(),
        PartStarted(part=0, kind=PartKind.TEXT, choice=0),
        PartStarted(part=1, kind=PartKind.TEXT, choice=1),
        Delta(part=0, text="a"),
        Delta(part=1, text="a"),
        PartEnded(part=1),
        ChoiceEnded(choice=1, reason=CUT),
        PartEnded(part=0),
        ChoiceEnded(choice=0, reason=CUT),
        Ended(),
    ]
    assert assemble(joined(events)) == reply


def test_an_answer_that_adds_nothing_is_the_last() -> None:
    assert parts(whole(spoken(text("a")), spoken(), spoken(text("b")))) == [text("a")]
    repeated = "these very words again"
    assert parts(whole(spoken(text(repeated)), spoken(text(repeated)), spoken(text("b")))) == [text(repeated)]


def test_a_call_in_a_further_answer_is_passed_on_and_is_the_last() -> None:
    further = spoken(thought("hm"), text(" then"), CALL, text("so"), reason=StopReason.TOOL_USE)
    reply = whole(spoken(thought("hm"), text("First,")), further)
    assert parts(reply) == [thought("hm"), text("First, then"), CALL, text("so")]
    assert reply.choices[0].reason is StopReason.TOOL_USE


def test_fields_we_do_not_model_are_those_of_the_first_answer() -> None:
    def with_print(value: str, answer: list[Event]) -> list[Event]:
        return [answer[0], Extra(protocol="openai_chat", fields={"system_fingerprint": value}), *answer[1:]]

    reply = whole(with_print("one", spoken(text("a"))), with_print("two", spoken(text("b"), reason=DONE)))
    assert reply.extras == {"openai_chat": {"system_fingerprint": "one"}}


def test_seals_of_thinking_that_is_left_out_are_left_out_too() -> None:
    def sealed(value: str, answer: list[Event]) -> list[Event]:
        return [*answer[:4], Sealed(part=0, kind="signature", value=value), *answer[4:]]

    first = sealed("one", spoken(thought("hm"), text("a")))
    reply = whole(first, sealed("two", spoken(thought("hm"), text("b"), reason=DONE)))
    assert [dict(part.seals) for part in reply.choices[0].parts] == [{"signature": "one"}, {}]


def test_an_answer_that_breaks_off_leaves_what_was_said() -> None:
    joiner = Joiner(5)
    out = [
        event for one in spoken(text("Once upon"), usage=Usage(prompt=1, completion=1)) for event in joiner.feed(one)
    ]
    assert joiner.can_finish
    joiner.go_on()
    for event in spoken(text(" a time"))[:3]:
        out += joiner.feed(event)
    assert joiner.can_finish
    out += joiner.finish()
    grammar.check(out)
    reply = assemble(out)
    assert isinstance(reply, Reply)
    assert parts(reply) == [text("Once upon a t")] or parts(reply) == [text("Once upon a ")]
    assert (reply.choices[0].reason, reply.usage) == (CUT, Usage(prompt=1, completion=1))
    assert not joiner.can_finish


def test_half_a_call_is_no_good_end() -> None:
    joiner = Joiner(5)
    for event in spoken(text("a")):
        joiner.feed(event)
    joiner.go_on()
    for event in spoken(CALL)[:3]:
        joiner.feed(event)
    assert not joiner.can_finish


def test_a_first_answer_that_breaks_off_is_a_failure() -> None:
    joiner = Joiner(5)
    for event in spoken(text("a"))[:3]:
        joiner.feed(event)
    assert not joiner.can_finish
    assert joiner.feed(Failed(kind="upstream_cut", message="cut")) == [Failed(kind="upstream_cut", message="cut")]
    assert not joiner.can_finish


def test_another_try_at_a_further_answer_starts_afresh() -> None:
    joiner = Joiner(5)
    out = [event for one in spoken(text("a")) for event in joiner.feed(one)]
    joiner.go_on()
    joiner.feed(Started())
    joiner.feed(PartStarted(part=0, kind=PartKind.REASONING))
    joiner.go_on()
    out += [event for one in spoken(text("b"), reason=DONE) for event in joiner.feed(one)]
    grammar.check(out)
    reply = assemble(out)
    assert isinstance(reply, Reply)
    assert parts(reply) == [text("ab")]


def test_the_whole_obeys_the_grammar_and_says_every_word() -> None:
    def check(rng: random.Random) -> None:
        kinds = (PartKind.TEXT, PartKind.TEXT, PartKind.REASONING, PartKind.TOOL_CALL)
        answers = [
            spoken(
                *((rng.choice(kinds), rng.choice("abc") * rng.randint(1, 5)) for _ in range(rng.randint(0, 3))),
                reason=rng.choice((CUT, CUT, DONE)),
            )
            for _ in range(6)
        ]
        reply = whole(*answers, times=rng.randint(0, 5))
        said = "".join(part.text for choice in reply.choices for part in choice.parts if part.kind is PartKind.TEXT)
        heard = "".join(
            event.text
            for answer in answers
            for event in answer
            if isinstance(event, Delta)
            and any(isinstance(e, PartStarted) and e.part == event.part and e.kind is PartKind.TEXT for e in answer)
        )
        assert heard.startswith(said)

    for_each_seed(1000, check)


def test_a_call_in_the_old_form_is_a_call() -> None:
    for fields in ({"function_call": {"name": "f"}}, {"message": {"function_call": {"name": "f"}}}):
        joiner = Joiner(5)
        for event in [*spoken(text("Let me look."))[:-2], Extra(protocol="openai_chat", fields=fields, choice=0)]:
            joiner.feed(event)
        joiner.feed(ChoiceEnded(reason=CUT))
        joiner.feed(Ended())
        assert not joiner.wants_more


def test_a_further_choice_that_nobody_asked_for_is_left_out() -> None:
    joiner = Joiner(5)
    for event in spoken(text("Hello wo")):
        joiner.feed(event)
    joiner.go_on()
    heard: list[Event] = []
    for event in [
        PartStarted(part=0, kind=PartKind.TEXT),
        PartStarted(part=1, kind=PartKind.TEXT, choice=1),
        Delta(part=0, text="rld"),
        Delta(part=1, text="INTRUDER"),
        PartEnded(part=1),
        ChoiceEnded(reason=DONE),
        ChoiceEnded(reason=DONE, choice=1),
        Ended(),
    ]:
        heard += joiner.feed(event)

    assert joiner.text == "Hello world"
    assert [event for event in heard if isinstance(event, ChoiceEnded)] == [ChoiceEnded(reason=DONE)]
    assert not any(isinstance(event, Delta) and "INTRUDER" in event.text for event in heard)
