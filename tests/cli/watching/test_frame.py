"""The picture at every size: nothing sticks out, the important stays, what is left out is counted."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from iflow_cli_proxy.cli.columns import Column
from iflow_cli_proxy.cli.watching.frame import Block, Canvas, frame, lost
from iflow_cli_proxy.cli.watching.screen import as_group
from iflow_cli_proxy.cli.watching.shape import AccountRow, Minute, OpenHost, Request, Rest, Second, Snapshot

PLACE = "http://127.0.0.1:28000"


def busy(requests: int = 3, accounts: int = 3, **fields: Any) -> Snapshot:
    chance = random.Random(7)
    return Snapshot(
        **{
            "at": "2026-11-20T14:00:00Z",
            "version": "1.2.3",
            "uptime_s": 4000.0,
            "minute": Minute(
                requests=312,
                errors=6,
                error_rate=0.0192,
                tokens=74_400,
                tokens_per_s=1240.0,
                first_byte_p50_s=0.21,
                first_byte_p95_s=12.4,
                errors_by_kind={"overloaded": 3, "timed_out": 1, "rate_limited": 1, "busy": 1},
            ),
            "history": [
                Second(requests=chance.randrange(9), tokens=chance.randrange(2000), errors=at == 5) for at in range(60)
            ],
            "queue": 1,
            "in_flight_total": requests,
            "in_flight": [
                Request(
                    id=f"req_{at:024}",
                    protocol="openai_responses",
                    model=f"一个模型-glm-{at}",
                    route=f"iflow/glm-{at}",
                    account="me@example.com",
                    key="team-analytics",
                    phase=("queued", "waiting", "thinking", "streaming")[at % 4],
                    age_s=at * 7.5,
                    tokens=at * 100,
                    tokens_per_s=at * 4.2,
                    attempts=1,
                )
                for at in range(requests)
            ],
            "accounts": [
                AccountRow(
                    provider="iflow",
                    label=f"colleague-{at}@example.com",
                    state=("ok", "cooling", "needs_login")[at % 3],
                    in_flight=at % 2,
                    requests=at * 1000,
                    last_error="quota_exhausted" if at % 3 else "",
                    rests=[Rest(reason="quota", seconds_left=3700.0)] if at % 3 == 1 else [],
                )
                for at in range(accounts)
            ],
            "breakers": [OpenHost(host="api.example.com", provider="iflow", state="open", seconds_left=12.0)],
            **fields,
        }
    )  # fmt: skip


def lines(blocks: Sequence[Block], width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system=None, highlight=False).print(as_group(blocks))
    return out.getvalue().splitlines()


def shown(snapshot: Snapshot, width: int = 140, height: int | None = None, **options: Any) -> list[str]:
    return lines(frame(snapshot, PLACE, Canvas(width=width, height=height), **options), width)


def heading(snapshot: Snapshot, width: int, first: str) -> list[str]:
    return next(line for line in shown(snapshot, width) if line.startswith(f"{first} ")).split()


@pytest.mark.parametrize("width", [*range(24, 160, 7), 40, 80, 140])
def test_nothing_sticks_out_of_any_window(width: int) -> None:
    for requests, accounts in ((0, 0), (1, 0), (40, 12)):
        text = shown(busy(requests, accounts), width, remark="q leaves")
        assert max(map(cell_len, text)) <= width


@pytest.mark.parametrize("width", [40, 80, 140])
def test_a_window_of_any_height_is_filled_and_no_more(width: int) -> None:
    for height in range(18, 60):
        text = shown(busy(requests=30, accounts=30), width, height)
        assert len(text) <= height, f"{len(text)} lines in {height}"
        assert height - len(text) <= 1, "room is used"


def test_columns_go_as_the_window_becomes_narrow() -> None:
    assert heading(busy(), 140, "model") == [
        "model",
        "key",
        "account",
        "phase",
        "age",
        "tokens",
        "tok/s",
        "try",
        "protocol",
        "id",
    ]
    assert heading(busy(), 80, "model") == ["model", "key", "account", "phase", "age", "tokens", "tok/s", "try"]
    assert heading(busy(), 40, "model") == ["model", "phase", "age", "tok/s"]
    assert heading(busy(), 140, "account") == [
        "account", "state", "now", "back", "in", "requests", "why", "last", "error",
    ]  # fmt: skip
    assert heading(busy(), 40, "account")[:2] == ["account", "state"]


def test_names_are_as_long_as_there_is_room_for() -> None:
    wide, narrow = shown(busy(), 140), shown(busy(), 30)
    assert any("一个模型-glm-1" in line for line in wide)
    assert any(line.startswith("iflow/coll") and "…" in line for line in narrow)
    assert any("me@example.com" in line for line in wide)


def test_what_has_no_room_is_counted() -> None:
    text = shown(busy(requests=30, accounts=2, in_flight_total=250), 80, 20)
    more = next(line for line in text if line.startswith("… and "))
    rows = sum(1 for line in text if "模型" in line)
    assert more.strip() == f"… and {250 - rows} more"
    assert any("colleague-1" in line for line in text), "a short table is not cut for a long one"


def test_in_a_low_window_pictures_go_before_rows() -> None:
    high, low = shown(busy(), 80, 40), shown(busy(), 80, 16)
    assert any(line.startswith("tokens  ") for line in high)
    assert not any(line.startswith("tokens  ") for line in low)
    assert sum(1 for line in low if "模型" in line) >= 2


def test_the_last_minute_is_told_and_drawn() -> None:
    text = shown(busy(), 80)
    assert "last minute · 312 requests · 1.24k tokens/s · first byte 0.21 s, p95 12 s" in text[1]
    assert "1.9% errors · overloaded 3 · timed_out 1 · rate_limited 1, …" in text[2]
    requests = text[3].rstrip()
    assert requests.startswith("requests ")
    assert len(requests) == len("requests ") + 60 + len(" max 8")
    assert any(line.startswith("errors  ") for line in text)


def test_sparks_are_squeezed_into_a_narrow_window() -> None:
    [line] = [line for line in shown(busy(), 40) if line.startswith("tokens ")]
    assert line.rstrip().endswith("/4 s")


def test_a_terminal_without_blocks_gets_none() -> None:
    blocks = frame(busy(), PLACE, Canvas(width=80, is_plain=True))
    text = "\n".join(block.plain for block in blocks if isinstance(block, Text))
    assert not set("▁▂▃▄▅▆▇█") & set(text)


def test_a_gateway_at_rest_says_what_can_be_done() -> None:
    text = shown(Snapshot(version="1.2.3", history=[Second()] * 60), 80)
    assert any("none in flight" in line for line in text)
    assert any("`iflow2api login` signs one in" in line for line in text)
    assert not any(line.startswith("model") for line in text)
    assert any("0 requests" in line for line in text)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "accepting"),
        ({"accepting": False}, "takes nothing new"),
        ({"accepting": False, "draining": True}, "stopping"),
    ],
)
def test_whether_it_takes_work_is_said(fields: dict[str, Any], word: str) -> None:
    assert f" · {word} · " in shown(busy(**fields))[0]


def test_a_remark_takes_no_line_of_its_own() -> None:
    assert shown(busy(), 140, remark="q leaves")[0].rstrip().endswith("q leaves")
    assert not any("q leaves" in line for line in shown(busy(), 40, remark="q leaves"))


def test_a_host_that_is_down_is_told_with_its_countdown() -> None:
    assert any(line.startswith("api.example.com is down, next try in 12s") for line in shown(busy(), 40))


def test_a_gateway_that_has_gone_is_said_at_every_width() -> None:
    for width in (20, 40, 140):
        text = lines(lost(PLACE, f"No gateway answers at {PLACE}.", 65.0, width), width)
        assert "1:05" in "".join(text)
        assert any("`iflow2api serve`" in line for line in text)
    assert max(map(cell_len, text)) <= 140


def test_a_table_is_columns_of_one_length() -> None:
    for block in frame(busy(40, 12), PLACE, Canvas(width=80)):
        if not isinstance(block, Text):
            assert all(isinstance(column, Column) for column in block)
            assert len({len(column.cells) for column in block}) == 1


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "yesterday", ""])
def test_a_time_that_no_calendar_holds_is_left_out(at: str) -> None:
    assert frame(busy(at=at), PLACE, Canvas(width=80))


def test_a_window_too_low_for_all_headings_shows_what_is_going_on() -> None:
    shown = [one.plain for one in frame(busy(), PLACE, Canvas(width=20, height=5)) if isinstance(one, Text)]
    assert len(shown) == 5
    assert {"requests", "accounts"} <= {line.partition(" ")[0] for line in shown}
