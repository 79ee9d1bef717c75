"""A gateway asked what it does, and everything that can go wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from iflow_cli_proxy.cli.agents import reaching
from iflow_cli_proxy.cli.watching.asking import Gateway, Poller
from iflow_cli_proxy.cli.watching.shape import Snapshot
from iflow_cli_proxy.core.errors import Forbidden, Malformed, Unauthenticated, Unreachable
from tests.support.small_gateway import SmallGateway, small_gateway

NOBODY = "http://127.0.0.1:1"
TOLD = b'{"version":"1","in_flight_total":3}'


def eventually(holds: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < ends_at, "it never came"
        threading.Event().wait(0.01)


def test_a_gateway_that_runs_tells_what_it_does() -> None:
    with small_gateway(SmallGateway(live=TOLD, wanted_key="sk-1")) as told:
        snapshot, body = Gateway(told.url, "sk-1").found()
    assert (snapshot.in_flight_total, body) == (3, TOLD)


def test_nobody_there_is_told_with_how_to_start_one() -> None:
    with pytest.raises(Unreachable) as caught:
        Gateway(NOBODY, "").found()
    assert "iflow2api serve" in caught.value.hint
    assert "--url" in caught.value.hint


def test_another_program_is_not_shown_the_key() -> None:
    with small_gateway(SmallGateway(health=b"<html>")) as told, pytest.raises(Unreachable):
        Gateway(told.url, "sk-mine").found()
    assert told.keys == []


def test_a_key_that_is_refused_says_how_to_make_one() -> None:
    with small_gateway(SmallGateway(wanted_key="sk-right")) as told, pytest.raises(Unauthenticated) as caught:
        Gateway(told.url, "sk-wrong").found()
    assert "iflow2api key create" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "said"), [(b'{"error":{"message":"Not for you."}}', "Not for you."), (b"[]", "that key")]
)
def test_a_key_for_some_things_only_is_told_what_the_gateway_says(body: bytes, said: str) -> None:
    with small_gateway(SmallGateway(live=body, live_status=403)) as told, pytest.raises(Forbidden) as caught:
        Gateway(told.url, "").found()
    assert said in caught.value.message
    assert "pool" in caught.value.hint


def test_an_older_gateway_is_known_by_what_it_does_not_have() -> None:
    with small_gateway(SmallGateway(live_status=404)) as told, pytest.raises(Malformed) as caught:
        Gateway(told.url, "").found()
    assert "older version" in caught.value.message


@pytest.mark.parametrize(("body", "status"), [(b"{}", 500), (b"<html>", 200), (b'{"queue":"long"}', 200)])
def test_anything_else_is_no_answer(body: bytes, status: int) -> None:
    with small_gateway(SmallGateway(live=body, live_status=status)) as told, pytest.raises(Malformed):
        Gateway(told.url, "").found()


def test_the_key_does_not_follow_to_another_place() -> None:
    with small_gateway(SmallGateway(live=TOLD)) as other:
        place = f"{other.url}/debug/live"
        with small_gateway(SmallGateway(live_place=place)) as told, pytest.raises(Malformed) as caught:
            Gateway(told.url, "sk-mine").found()
    assert "status 302" in caught.value.message
    assert (told.keys, other.keys) == (["sk-mine"], [])


def test_an_answer_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_ASKED_WITHIN_S", 0.3)
    with small_gateway(SmallGateway(drips=True)) as told, pytest.raises(Unreachable):
        Gateway(told.url, "").snapshot()


def test_it_is_asked_again_and_again_also_after_it_was_gone() -> None:
    with small_gateway(SmallGateway(live=TOLD)) as told:
        gateway = Gateway(told.url, "")
        with Poller(gateway, Snapshot(), 0.01) as poller:
            assert poller.news.snapshot == Snapshot(), "the first answer is there at once"
            eventually(lambda: poller.news.snapshot.in_flight_total == 3)
            told.live_status = 500
            eventually(lambda: poller.news.error is not None)
            assert poller.news.snapshot.in_flight_total == 3, "the last that is known"
            assert poller.news.failing_since <= time.monotonic()
            told.live, told.live_status = b'{"in_flight_total":4}', 200
            eventually(lambda: poller.news.error is None and poller.news.snapshot.in_flight_total == 4)
    poller._thread.join(10)
    assert not poller._thread.is_alive()


def test_after_a_silence_the_key_is_not_shown_to_whoever_listens_there_now() -> None:
    with (
        small_gateway(SmallGateway(live=TOLD)) as told,
        Poller(Gateway(told.url, "sk-mine"), Snapshot(), 0.01) as poller,
    ):
        told.live_status = 500
        eventually(lambda: poller.news.error is not None)
        told.health = b"<html>"
        eventually(lambda: isinstance(poller.news.error, Unreachable))
        shown = len(told.keys)
        told.live_status = 200
        error = poller.news.error
        eventually(lambda: poller.news.error is not error)
        assert len(told.keys) == shown
