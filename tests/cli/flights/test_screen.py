"""The lines of a flight, without a terminal."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.cli.flights.screen import lines, seconds, size
from iflow_cli_proxy.state.flight_queries import Found
from tests.support.flights import attempt, flight, part
from tests.support.ledgers import row


def told(document: dict[str, Any] | None, width: int = 100, *, is_full: bool = False, **fields: Any) -> list[str]:
    one = Found(cursor=1, row=row(1, **fields), flight=document)
    return [text for text, _ in lines(one, width=width, is_full=is_full)]


def test_a_request_that_nobody_was_asked_for_says_so() -> None:
    document = flight(
        attempts=[],
        upstream_request=[],
        upstream_reply=[],
        error={"kind": "busy", "message": "All rest.", "hint": ""},
    )
    assert "No account was asked." in told(document, status=503, error_kind="busy")


def test_an_alias_and_every_route_are_named() -> None:
    route = {
        "asked": "claude",
        "alias": "glm-5",
        "routes": ["a/glm-5", "b/glm-5"],
        "strategy": "sticky",
        "session": True,
        "notes": ["because."],
    }
    shown = told(flight(route=route))
    assert "  claude = glm-5 → a/glm-5, b/glm-5" in shown
    assert "  This conversation stays on its account." in shown
    assert "  because." in shown


def test_what_was_changed_is_told_with_the_fields_only_one_side_knew() -> None:
    shown = told(
        flight(
            notes=[{"path": "seed", "what": "left out"}],
            client_request=part(fields=["model", "seed"]),
            upstream_request=[part(fields=["model", "max_new_tokens"], url="u", protocol="openai_chat")],
        ),
        protocol="openai_chat",
    )
    at = shown.index("Changed on the way")
    assert shown[at + 1 : at + 4] == [
        "  seed: left out",
        "  fields not sent on: seed",
        "  fields added: max_new_tokens",
    ]


def test_a_translation_is_named() -> None:
    shown = told(flight(), protocol="gemini")
    assert "  translated from Gemini to chat completions" in shown
    assert not any("translated" in line for line in told(flight(), protocol="openai_chat"))


def test_gaps_are_told_by_their_length() -> None:
    gaps = {"chunks": 5, "longest_s": 12.0, "buckets": [[0.1, 2], [1.0, 0], [10.0, 1], ["inf", 1]]}
    assert "  5 chunks, the longest gap 12.00 s (≤0.1 s: 2, ≤10 s: 1, >10 s: 1)" in told(flight(gaps=gaps))


def test_long_bodies_are_cut_unless_all_is_wanted() -> None:
    document = flight(client_request=part(body="x" * 5000, bytes=9000, cut=True, headers={"host": "h"}))
    short, full = told(document), told(document, is_full=True)
    assert "  …" in short
    assert "Headers: client request" not in short
    assert "".join(full).count("x") >= 5000
    assert "  host  h" in full
    assert any("cut at recorder.max_body_bytes; it had 8.8 KB" in line for line in short)


def test_several_attempts_have_their_sides_numbered() -> None:
    both = flight(attempt(), attempt(n=2), upstream_reply=[None, part(bytes=3)])
    shown = "\n".join(told(both))
    assert "upstream request 1" in shown
    assert "upstream reply 1" not in shown
    assert "upstream reply 2" in shown


def test_a_flight_that_could_not_be_written_down_is_no_riddle() -> None:
    assert any("KeyError" in line for line in told({"broken": "KeyError"}))


@pytest.mark.parametrize("width", [30, 50, 79])
def test_no_line_but_bodies_and_names_is_wider_than_the_screen(width: int) -> None:
    document = flight(
        attempt(message="word " * 60, error_kind="x"),
        error={"kind": "x", "message": "word " * 60, "hint": "word " * 60},
        notes=[{"path": "messages[1].content", "what": "word " * 40}],
    )
    assert max(map(len, told(document, width))) <= max(width, 46)


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "-"), (0.0021, "2.1 ms"), (0.25, "250 ms"), (1.5, "1.50 s"), (185.0, "185 s")]
)
def test_times_have_the_unit_that_fits(value: float | None, shown: str) -> None:
    assert seconds(value) == shown


def test_sizes_have_the_unit_that_fits() -> None:
    assert [size(count) for count in (5, 2048, 3 << 20)] == ["5 B", "2.0 KB", "3.0 MB"]


def test_no_account_is_blamed_for_a_client_that_left() -> None:
    document = flight(
        attempt(status=429, error_kind="rate_limited", account="slow"),
        attempt(n=2, error_kind="cancelled", account="fine"),
        error={"kind": "client_gone", "message": "", "hint": ""},
    )
    shown = told(document, status=499, error_kind="client_gone")
    assert "The client went away before the end." in shown
    assert "Failed: slow (rate_limited)" in shown
