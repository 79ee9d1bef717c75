"""Two answers on a screen."""

from __future__ import annotations

import pytest

from iflow_cli_proxy.cli.flights.comparison import show, text_lines
from iflow_cli_proxy.cli.flights.meaning import Said
from iflow_cli_proxy.cli.flights.replaying import Replayed
from iflow_cli_proxy.state.flight_queries import Found
from tests.support.flights import flight
from tests.support.ledgers import row

THEN = Said(status=200, text="one\ntwo\nthree", tool_calls=(("f", {"a": 1}),), usage={"prompt": 3, "completion": 0})


def both(now: Said, *, is_recorded: bool = True, is_masked: bool = False, then: Said = THEN) -> Replayed:
    return Replayed(
        then=Found(cursor=1, row=row(1), flight=flight()),
        said_then=then,
        request_id="req_2",
        said_now=now,
        is_recorded=is_recorded,
        is_masked=is_masked,
    )


def test_the_same_is_said_in_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    show(both(THEN))
    out, err = capsys.readouterr()
    assert err == "The same.\n"
    assert "≠" not in out
    assert "3 tokens" in out


def test_a_difference_is_marked_and_the_lines_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    now = Said(status=500, error="x", text="one\n2\nthree", tool_calls=())
    show(both(now, is_recorded=False, is_masked=True))
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines() if line.endswith("≠")] == ["status", "error", "text", "tool"]
    assert "-two\n+2\n" in out
    assert '-f {"a":1}' in out
    assert "secrets in it had been masked" in err
    assert "only the answer is known" in err
    assert err.endswith("Different.\n")


def test_an_answer_that_was_not_kept_is_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    show(both(THEN, then=Said(status=200)))
    assert "not kept whole" in capsys.readouterr().err


def test_a_long_line_is_compared_by_its_pieces_and_a_long_difference_is_cut() -> None:
    words = [f"word{number}" for number in range(400)]
    changed = [*words[:200], "other", *words[201:]]
    lines = [*text_lines(Said(status=200, text=" ".join(words)), Said(status=200, text=" ".join(changed)))]
    assert 2 < len(lines) < 12
    assert max(map(len, lines)) <= 102
    many = Said(status=200, text="\n".join(words))
    assert [*text_lines(many, Said(status=200, text=""))][-1] == "…"
