from __future__ import annotations

from typing import Any

from iflow_cli_proxy.protocols.choice_tap import ChoiceTap


def tap(choices: int, seen: set[int], ended: set[int]) -> ChoiceTap:
    found: Any = ChoiceTap(lambda body: None, frozenset(), choices)
    found._seen |= seen
    found._ended |= ended
    return found  # type: ignore[no-any-return]


def test_a_stream_is_whole_with_every_answer_it_began_and_as_many_as_were_asked_for() -> None:
    assert tap(1, {0}, {0}).is_finished
    assert tap(2, {0, 1}, {0, 1}).is_finished
    assert not tap(1, set(), set()).is_finished
    assert not tap(2, {0}, {0}).is_finished
    assert not tap(1, {0, 1}, {0}).is_finished
