from __future__ import annotations

from iflow_cli_proxy.gateway.record import AttemptRecord, Exchange


def exchange() -> Exchange:
    return Exchange(request_id="req_1", protocol="openai_chat", started_at=0.0)


def test_two_exchanges_are_never_the_same_and_share_nothing() -> None:
    first, second = exchange(), exchange()
    first.attempts.append(AttemptRecord(account="a", route="up/m"))

    assert first != second
    assert len({first, second}) == 2
    assert second.attempts == []


def test_nothing_is_known_at_first() -> None:
    it = exchange()

    assert it.usage is None
    assert it.first_byte_s is None
    assert not it.is_committed
    assert AttemptRecord(account="a", route="up/m").error_kind == ""


class Far:
    characters = 5
    is_thinking = False


def test_what_was_held_for_it_is_given_back_once() -> None:
    it = exchange()
    given: list[str] = []
    it.at_end += [lambda: given.append("first"), lambda: given.append("second")]

    it.show(Far())
    it.end()
    it.end()
    assert it.progress is None

    assert given == ["second", "first"]


def test_a_client_that_left_is_known_by_the_status_and_by_the_kind() -> None:
    left, failed = exchange(), exchange()
    assert not left.is_left
    left.leave()
    failed.error_kind = "overloaded"
    assert left.is_left
    assert not failed.is_left
    failed.leave()
    assert failed.is_left, "whatever went wrong before"
