import pytest

from iflow_cli_proxy.core.events import Delta, PartEnded, PartKind, PartStarted, Sealed
from iflow_cli_proxy.protocols.whole_calls import HeldParts, arguments_object, arguments_text

CALL = PartStarted(part=0, kind=PartKind.TOOL_CALL, id="a", name="f")
TEXT = PartStarted(part=1, kind=PartKind.TEXT)
LATER_CALL = PartStarted(part=2, kind=PartKind.TOOL_CALL, id="b", name="g")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ("", {}),
        ("  ", {}),
        ("null", {}),
        ('{"a": [1', {"a": [1]}),
        ("[1]", {"arguments": [1]}),
        ("3", {"arguments": 3}),
        ("not json", {"arguments": "not json"}),
        ("{" * 200, {"arguments": "{" * 200}),
    ],
)
def test_argument_text_becomes_an_object_whatever_it_is(text: str, found: object) -> None:
    assert arguments_object(text) == found


def test_an_object_becomes_compact_text_and_an_empty_one_none() -> None:
    assert arguments_text({"a": [1, "ü"]}) == '{"a":[1,"ü"]}'
    assert arguments_text({}) == arguments_text(None) == ""


def test_a_text_alone_is_never_held() -> None:
    held = HeldParts()
    held.start(TEXT)

    assert not held.holds(1)


def test_a_call_is_held_until_it_ends_with_all_its_pieces() -> None:
    held = HeldParts()
    held.start(CALL)
    held.add(Delta(part=0, text='{"a"'))
    held.add(Delta(part=0, text=":1}"))
    held.seal(Sealed(part=0, kind="signature", value="x"))
    held.seal(Sealed(part=0, kind="signature", value="y"))

    (part,) = held.end(PartEnded(part=0))

    assert (part.text, part.seals, part.is_call) == ('{"a":1}', {"signature": "xy"}, True)
    assert not held.holds(0)


def test_what_follows_a_call_waits_for_it_and_comes_in_order() -> None:
    held = HeldParts()
    for started in (CALL, TEXT, LATER_CALL):
        held.start(started)
    held.add(Delta(part=1, text="after"))

    assert held.end(PartEnded(part=1)) == []
    assert held.end(PartEnded(part=2)) == []
    assert [part.started.part for part in held.end(PartEnded(part=0))] == [0, 1, 2]


def test_a_text_that_goes_on_when_its_call_has_ended_is_held_no_longer() -> None:
    held = HeldParts()
    held.start(CALL)
    held.start(TEXT)
    held.add(Delta(part=1, text="so far"))

    assert [part.text for part in held.end(PartEnded(part=0))] == ["", "so far"]
    assert not held.holds(1)


def test_answers_do_not_wait_for_each_other() -> None:
    held = HeldParts()
    held.start(CALL)
    held.start(PartStarted(part=1, kind=PartKind.TEXT, choice=1))

    assert not held.holds(1)
