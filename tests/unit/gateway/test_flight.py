"""What a flight notes, without any gateway."""

from __future__ import annotations

import gc
import sys

from iflow_cli_proxy.core.errors import Overloaded
from iflow_cli_proxy.gateway.flight import Flight, Heard, Tape, begun
from iflow_cli_proxy.routing.resolve import Route
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import FakeReply

HERE = Route(provider="up", model="m")


def test_a_tape_measures_everything_and_keeps_the_beginning() -> None:
    tape = Tape(5)
    for piece in (b"abc", b"def", b"ghi"):
        tape.add(piece)
    assert (tape.kept, tape.size_bytes) == (b"abcde", 9)


def test_a_tape_of_many_small_pieces_holds_as_much_memory_as_it_says() -> None:
    tape = Tape(1 << 20)
    pieces = [b"%05d" % number for number in range(10_000)]
    for piece in pieces:
        tape.add(piece)
    memory = sum(map(sys.getsizeof, pieces)) + 8 * len(pieces)
    assert memory <= tape.held_bytes <= 2 * memory


def test_a_tape_without_room_only_measures() -> None:
    tape = Tape()
    tape.add(b"abc")
    assert (tape.kept, tape.size_bytes) == (b"", 3)


async def test_gaps_are_counted_by_their_length_and_the_first_wait_is_none() -> None:
    clock = FakeClock()
    reply = Heard(FakeReply(*[b"x"] * 6), Tape(), clock.monotonic)
    for pause_s in (99.0, 0.05, 0.0625, 0.5, 2.0, 60.0):
        clock.advance(pause_s)
        await reply.read()
    assert await reply.read() == b""
    assert reply.gaps == [2, 1, 1, 1]
    assert (reply.chunks, round(reply.longest_gap_s), reply.tape.size_bytes) == (6, 60, 6)


async def test_a_reply_that_is_heard_is_the_reply_itself() -> None:
    inner = FakeReply(b"{}", status=503, headers={"a": "b"})
    heard = Heard(inner, Tape(), FakeClock().monotonic)
    assert (heard.status, heard.headers, heard.gaps) == (503, {"a": "b"}, [0, 0, 0, 0])
    heard.close()
    heard.close()
    assert inner.closes == 1
    assert inner not in gc.get_referents(heard), "its connection would stay until the flight is written"


def test_an_attempt_holds_on_to_no_body_that_is_not_kept() -> None:
    flight = begun()
    one = flight.attempt("work", HERE, 0.0)
    one.sends(UpstreamRequest(url="u", headers={}, body=b"x" * 999, fields=("model",)), "openai_chat")
    assert one.request is not None
    assert (one.request.body, one.request.fields, one.sent.size_bytes) == (b"", ("model",), 999)
    assert flight.held_bytes == 0


def test_of_an_error_the_words_stay_and_nothing_else() -> None:
    one = begun().attempt("work", HERE, 0.0)
    one.ends(Overloaded("too much", detail="secret plans"), 3.0)
    assert one.ending is not None
    assert (one.ending.kind, one.ending.message, one.ended_at) == ("upstream_overloaded", "too much", 3.0)
    one.ends("cancelled", 4.0)
    assert (one.ending.kind, one.ending.message) == ("cancelled", "")


def test_why_it_goes_on_stands_with_the_attempt_or_beside_them() -> None:
    flight = begun()
    flight.goes_on("on to up/n", HERE, Overloaded("nobody is free."), was_sent=False)
    flight.attempt("work", HERE, 0.0)
    flight.goes_on("another account", HERE, Overloaded("too much"), was_sent=True)
    assert flight.remarks == ["up/m: nobody is free.", "→ on to up/n"]
    assert flight.attempts[0].why_another == "another account"


def test_an_answer_that_is_all_there_is_held_for_its_names_if_it_is_small() -> None:
    flight = begun()
    flight.answers(b'{"a":1}')
    assert flight.answered.kept == b'{"a":1}'
    large: Flight = begun()
    large.answers(b"x" * 100_000)
    assert len(large.answered.kept) == 16_384
    assert 16_384 <= large.held_bytes < 17_000


def test_what_is_asked_beside_it_is_kept_as_far() -> None:
    assert begun(room_bytes=7).beside().room_bytes == 7
