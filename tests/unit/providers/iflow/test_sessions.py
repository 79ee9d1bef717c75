from __future__ import annotations

import re
import uuid

from iflow_cli_proxy.providers.iflow.sessions import LONGEST_REQUESTS, SHORTEST_LIFE_S, Sessions
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock

HOUR_S = 3600.0


def sessions() -> tuple[Sessions, FakeClock]:
    clock = FakeClock()
    return Sessions(clock, counting_entropy()), clock


def test_a_session_is_named_as_the_client_names_it() -> None:
    made, _ = sessions()
    name = made.session_id("a")
    assert re.fullmatch(r"session-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", name)


def test_an_account_keeps_its_session_and_shares_it_with_no_other() -> None:
    made, clock = sessions()
    first = made.session_id("a")
    clock.advance(SHORTEST_LIFE_S - 1)
    assert made.session_id("a") == first
    assert made.session_id("b") != first


def test_a_session_ends_after_twelve_to_twenty_four_hours() -> None:
    made, clock = sessions()
    first = made.session_id("a")
    clock.advance(24 * HOUR_S)
    assert made.session_id("a") != first


def test_sessions_that_began_together_do_not_end_together() -> None:
    lives = set()
    for draw in range(1, 6):
        clock = FakeClock()
        made = Sessions(clock, lambda size, draw=draw: (draw * 7919).to_bytes(size, "big"))  # type: ignore[misc]
        made.session_id("a")
        lives.add(made._by_account["a"].ends_at)
    assert len(lives) == 5
    assert all(SHORTEST_LIFE_S <= life <= 2 * SHORTEST_LIFE_S for life in lives)


def test_a_session_ends_after_a_thousand_requests() -> None:
    made, _ = sessions()
    names = [made.session_id("a") for _ in range(LONGEST_REQUESTS + 1)]
    assert len(set(names[:LONGEST_REQUESTS])) == 1
    assert names[-1] != names[0]


def test_a_corrected_clock_ends_no_session() -> None:
    made, clock = sessions()
    first = made.session_id("a")
    clock.jump(30 * 24 * HOUR_S)
    assert made.session_id("a") == first


def test_a_conversation_of_the_client_always_gets_the_same_uuid() -> None:
    made, _ = sessions()
    first = made.conversation_id("a", "thread-7\r\nx: y")
    assert uuid.UUID(first).version == 4
    assert made.conversation_id("a", "thread-7\r\nx: y") == first
    assert made.conversation_id("b", "thread-7\r\nx: y") != first
    assert sessions()[0].conversation_id("a", "\ud800") == made.conversation_id("a", "\ud800")


def test_requests_without_a_conversation_get_new_uuids() -> None:
    made, _ = sessions()
    names = {made.conversation_id("a", "") for _ in range(10)}
    assert len(names) == 10
    assert all(uuid.UUID(name).version == 4 for name in names)
