from __future__ import annotations

from math import inf

from iflow_cli_proxy.state.ledger_queries import Group, Sums
from iflow_cli_proxy.state.ledger_question import Question
from iflow_cli_proxy.state.ledger_shapes import short_json, usage_json

QUESTION = Question(by=("key", "model"), since=1_795_003_200.0)
GROUPS: list[Group] = [
    (
        ("alice", "glm-5"),
        Sums(requests=4, errors=1, prompt=100, cached=40, completion=10, reasoning=3, estimated=1,
             cost={"USD": 0.5, "CNY": 2.0}, first_byte_s=1.0, first_bytes=2, duration_s=8.0),
    ),
    (("", "=cmd()"), Sums(requests=1, prompt=1, unpriced=1)),
]  # fmt: skip


def test_the_json_is_stable() -> None:
    told = usage_json(QUESTION, GROUPS)
    assert (told["since"], told["until"], told["by"]) == ("2026-11-18T12:00:00Z", None, ["key", "model"])
    assert told["rows"][0] == {
        "key": "alice",
        "model": "glm-5",
        "requests": 4,
        "errors": 1,
        "error_share": 0.25,
        "prompt_tokens": 100,
        "cached_tokens": 40,
        "completion_tokens": 10,
        "reasoning_tokens": 3,
        "total_tokens": 110,
        "estimated_requests": 1,
        "unpriced_requests": 0,
        "cost": {"USD": 0.5, "CNY": 2.0},
        "first_byte_ms": 500.0,
        "duration_ms": 2000.0,
    }
    assert told["rows"][1]["first_byte_ms"] is None
    assert (told["total"]["requests"], told["total"]["cost"]) == (5, {"USD": 0.5, "CNY": 2.0})
    assert usage_json(Question(by=("day",), since=0, until=inf), [])["rows"] == []


def test_what_stands_beside_a_name_is_short() -> None:
    assert short_json(GROUPS[0][1]) == {"requests": 4, "errors": 1, "tokens": 110, "cost": {"USD": 0.5, "CNY": 2.0}}
    assert short_json(Sums()) == {"requests": 0, "errors": 0, "tokens": 0, "cost": {}}
