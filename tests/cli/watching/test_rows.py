"""What stands in the columns of `top`."""

from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.cli.columns import Column
from iflow_cli_proxy.cli.watching.rows import account_columns, is_ready, lasting, request_columns, soonest_first
from iflow_cli_proxy.cli.watching.shape import AccountRow, Request, Rest


def row(columns: list[Column], at: int = 0) -> dict[str, str]:
    return {column.name: column.cells[at] for column in columns}


def request(**fields: Any) -> Request:
    return Request(**{"id": "req_1", "model": "glm-5", "phase": "streaming", "age_s": 2.04, **fields})


def test_a_request_that_speaks() -> None:
    speaking = request(
        key="alice", account="work", tokens=1234, tokens_per_s=18.26, attempts=2, route="iflow/glm-5", protocol="gemini"
    )
    assert row(request_columns([speaking], 20)) == {
        "model": "glm-5",
        "key": "alice",
        "account": "work",
        "phase": "streaming",
        "age": "2.0s",
        "tokens": "1.23k",
        "tok/s": "18.3",
        "try": "2",
        "route": "iflow/glm-5",
        "protocol": "gemini",
        "id": "req_1",
    }


def test_what_is_not_known_is_a_dash_and_a_key_that_nobody_has_takes_no_room() -> None:
    queued = row(request_columns([request(phase="queued")], 20))
    assert (queued["account"], queued["tokens"], queued["tok/s"], queued["try"]) == ("-", "-", "-", "-")
    assert "key" not in queued


def test_phases_have_colours() -> None:
    phases = ["queued", "waiting", "thinking", "streaming", "dreaming"]
    columns = request_columns([request(phase=phase) for phase in phases], 20)
    phase = next(column for column in columns if column.name == "phase")
    assert len(set(phase.styles[:4])) == 4


def test_names_cannot_steer_the_terminal_and_are_cut() -> None:
    cells = row(request_columns([request(model="\x1b[31m" + "m" * 50, key="k\n\x07")], 12))
    assert len(cells["model"]) == 12
    assert "\x1b" not in cells["model"]
    assert cells["key"].isprintable()


def account(**fields: Any) -> AccountRow:
    return AccountRow(**{"provider": "iflow", "label": "work", "state": "ok", **fields})


def test_an_account_that_is_well() -> None:
    assert row(account_columns([account(in_flight=2, requests=1234)], 20)) == {
        "account": "iflow/work",
        "state": "ok",
        "now": "2",
        "requests": "1,234",
    }


def test_an_account_that_rests_counts_down_and_says_why() -> None:
    resting = account(
        state="cooling",
        last_error="quota_exhausted",
        failures_in_a_row=3,
        rests=[Rest(reason="quota", seconds_left=65.0), Rest(reason="rate", model="glm-5", seconds_left=5.0)],
    )
    cells = row(account_columns([resting], 40))
    assert (cells["state"], cells["back in"], cells["failed"]) == ("cooling", "1:05", "3")
    assert cells["why"] == "quota, rate (glm-5)"
    assert cells["last error"] == "quota_exhausted"


def test_only_models_that_rest_show_the_soonest() -> None:
    partly = account(rests=[Rest(model="a", seconds_left=70.0), Rest(model="b", seconds_left=12.5)])
    assert row(account_columns([partly], 40))["back in"] == "12s"


@pytest.mark.parametrize(
    ("fields", "ready"),
    [
        ({}, True),
        ({"in_use": False}, False),
        ({"state": "needs_login"}, False),
        ({"open_breakers": ["host"]}, False),
        ({"rests": [Rest(model="glm-5", seconds_left=5)]}, True),
    ],
)
def test_which_account_could_take_the_next_request(fields: dict[str, Any], ready: bool) -> None:
    assert is_ready(account(**fields)) is ready


def test_words_of_states_are_for_people() -> None:
    assert row(account_columns([account(state="needs_login")], 20))["state"] == "needs login"
    assert row(account_columns([account(in_use=False)], 20))["state"] == "not used"


def test_an_account_named_after_its_provider_is_named_once() -> None:
    assert row(account_columns([account(label="iflow")], 20))["account"] == "iflow"


def test_those_at_work_come_first_then_those_in_trouble() -> None:
    rows = [account(label="idle"), account(label="out", state="cooling"), account(label="busy", in_flight=1)]
    assert [one.label for one in soonest_first(rows)] == ["busy", "out", "idle"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0.0s"), (0.04, "0.0s"), (9.94, "9.9s"), (59.9, "59s"), (60, "1:00"), (754, "12:34"), (3900, "1h05"),
     (200_000, "2d07h")],
)  # fmt: skip
def test_times_are_short(seconds: float, text: str) -> None:
    assert lasting(seconds) == text
