from __future__ import annotations

import copy
import tracemalloc
from typing import Any

import msgspec

from iflow_cli_proxy.protocols import response_history
from iflow_cli_proxy.server.stored_responses import BESIDE_BYTES, KEPT_S, StoredResponses
from tests.support.fake_clock import FakeClock


def stored(name: str, text: str = "") -> response_history.Stored:
    response: dict[str, Any] = {"id": name, "output": [{"text": text}]}
    return response_history.Stored(input=(), response=response)


def test_what_is_kept_belongs_to_whoever_asked() -> None:
    memory = StoredResponses(FakeClock())
    memory.put("alice", stored("resp_1"))

    assert memory.get("alice", "resp_1") == stored("resp_1")
    assert memory.get("bob", "resp_1") is None
    assert not memory.delete("bob", "resp_1")
    assert memory.delete("alice", "resp_1")
    assert memory.get("alice", "resp_1") is None
    assert not memory.delete("alice", "resp_1")


def test_the_oldest_makes_room() -> None:
    memory = StoredResponses(FakeClock(), most=2)
    for name in ("resp_1", "resp_2", "resp_3"):
        memory.put("", stored(name))

    assert [memory.get("", name) is not None for name in ("resp_1", "resp_2", "resp_3")] == [False, True, True]
    assert len(memory) == 2


def test_all_together_take_no_more_than_their_room() -> None:
    memory = StoredResponses(FakeClock(), largest_bytes=10_000 + 3 * BESIDE_BYTES)
    for number in range(10):
        memory.put("", stored(f"resp_{number}", "x" * 3_000))
    memory.put("", stored("resp_whale", "x" * 20_000))

    assert len(memory) == 3
    assert memory.size_bytes <= 10_000 + 3 * BESIDE_BYTES
    assert memory.get("", "resp_whale") is None
    assert memory.get("", "resp_9") is not None


def test_one_that_is_kept_again_takes_its_room_once() -> None:
    memory = StoredResponses(FakeClock(), largest_bytes=10_000 + 3 * BESIDE_BYTES)
    memory.put("", stored("resp_1", "x" * 3_000))
    for _ in range(10):
        memory.put("", stored("resp_2", "x" * 3_000))

    assert memory.get("", "resp_1") is not None


def test_nothing_is_kept_for_longer_than_a_day() -> None:
    clock = FakeClock()
    memory = StoredResponses(clock)
    memory.put("", stored("resp_1"))
    clock.advance(KEPT_S)

    assert memory.get("", "resp_1") is None
    memory.put("", stored("resp_2"))
    assert len(memory) == 1


def test_nobody_s_answers_are_driven_out_by_another_s() -> None:
    by_size = StoredResponses(FakeClock(), largest_bytes=10_000 + 3 * BESIDE_BYTES)
    by_count = StoredResponses(FakeClock(), most=4)
    for memory in (by_size, by_count):
        memory.put("alice", stored("resp_1", "x" * 3_000))
        for number in range(20):
            memory.put("bob", stored(f"resp_{number}", "x" * 3_000))

        assert memory.get("alice", "resp_1") is not None
        assert memory.get("bob", "resp_19") is not None
        assert memory.get("bob", "resp_1") is None


def test_one_s_own_answers_go_when_another_begins_to_keep_some() -> None:
    memory = StoredResponses(FakeClock(), most=4)
    for number in range(4):
        memory.put("bob", stored(f"resp_{number}"))
    memory.put("alice", stored("resp_1"))

    assert [memory.get("bob", f"resp_{number}") is not None for number in range(4)] == [False, True, True, True]
    assert memory.get("alice", "resp_1") is not None


def test_what_is_kept_takes_the_room_it_is_said_to_take() -> None:
    memory = StoredResponses(FakeClock())
    crowd = ({"type": "odd", "v": [[] for _ in range(20_000)]},)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(10):
            memory.put("", msgspec.structs.replace(stored(f"resp_{number}"), input=copy.deepcopy(crowd)))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert after - before < 1.5 * memory.size_bytes
    found = memory.get("", "resp_9")
    assert found is not None
    assert found.input == crowd
