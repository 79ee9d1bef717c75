from __future__ import annotations

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.demo.faults import (
    ALL,
    ANSWERS,
    FOR_JSON,
    STREAMS,
    WISHES,
    Fault,
    Happening,
    find_fault,
    plain_answer,
)

FRAMES = [b'data:{"n":1}\n\n', b'data:{"n":2,"finish_reason":"stop"}\n\n', b"data:[DONE]\n\n"]


@pytest.mark.parametrize(
    ("header", "model", "fault", "rest"),
    [
        ("", "glm-5", None, "glm-5"),
        ("stall", "glm-5", Fault(name="stall"), "glm-5"),
        ("", "fault-stall", Fault(name="stall"), ""),
        ("", "glm-5+stall", Fault(name="stall"), "glm-5"),
        ("http_429:7", "glm-5", Fault(name="http_429", retry_after_s=7), "glm-5"),
        ("", "glm-5+http_500@2", Fault(name="http_500", times=2), "glm-5"),
        ("http_429:7@2", "glm-5", Fault(name="http_429", retry_after_s=7, times=2), "glm-5"),
        ("no_such_fault", "glm-5", None, "glm-5"),
        ("STALL", "glm-5", None, "glm-5"),
        ("html", "glm-5+stall", Fault(name="html"), "glm-5"),
    ],
)
def test_a_fault_is_named_by_header_or_model(header: str, model: str, fault: Fault | None, rest: str) -> None:
    assert find_fault(header, model) == (fault, rest)


def test_every_failure_of_the_reference_can_be_asked_for() -> None:
    wanted = [f"http_{status}" for status in (400, 401, 403, 404, 406, 413, 429, 500, 502, 503, 511, 514, 529)]
    wanted += [f"business_{code}" for code in ("449", "439", "434", "434_blocked", "435", "438", "8211")]
    wanted += [
        "html",
        "empty",
        "cut",
        "network_error",
        "no_done",
        "stall",
        "slow",
        "gzip_unlabelled",
        "json_for_stream",
    ]
    wanted += ["usage_zero", "bad_json_event", "error_event"]
    wanted += ["quota_403", "quota_429", "throttled", "token_expired", "tool_order", "error_finish"]
    assert set(wanted) <= set(ALL)
    assert len(ALL) == len(set(ALL))
    assert set(STREAMS) >= FOR_JSON
    assert not set(STREAMS) & WISHES


@pytest.mark.parametrize("name", [name for name in ANSWERS if name.startswith("business_")])
def test_a_business_error_is_json_with_status_200(name: str) -> None:
    plain = ANSWERS[name]
    assert plain.status == 200
    assert "choices" not in jsonx.decode(plain.body)


def test_a_429_says_when_to_come_back() -> None:
    for fault, wait in [(Fault(name="http_429"), "1"), (Fault(name="http_429", retry_after_s=9), "9")]:
        plain = plain_answer(fault)
        assert plain is not None
        assert plain.headers["Retry-After"] == wait
    calm = plain_answer(Fault(name="http_500"))
    assert calm is not None
    assert "Retry-After" not in calm.headers
    assert plain_answer(Fault(name="stall")) is None


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("cut", Happening.CLOSE),
        ("reset", Happening.RESET),
        ("reset_midway", Happening.RESET),
        ("hang", Happening.HANG),
        ("stall", Happening.HANG),
        ("open_end", Happening.HANG),
    ],
)
def test_a_broken_stream_ends_in_what_its_name_says(name: str, last: Happening) -> None:
    assert list(STREAMS[name](FRAMES))[-1] is last


def test_a_cut_stream_stops_inside_an_event() -> None:
    sent = b"".join(step for step in STREAMS["cut"](FRAMES) if isinstance(step, bytes))
    assert sent.startswith(FRAMES[0])
    assert not sent.endswith(b"\n\n")


def test_missing_ends_are_missing() -> None:
    assert list(STREAMS["no_done"](FRAMES)) == FRAMES[:2]
    assert list(STREAMS["no_finish"](FRAMES)) == FRAMES[:1]


@pytest.mark.parametrize("name", ["one_byte", "crlf", "spaced"])
def test_some_bends_only_change_the_framing(name: str) -> None:
    sent = b"".join(step for step in STREAMS[name](FRAMES) if isinstance(step, bytes))
    for value in (b'{"n":1}', b"[DONE]"):
        assert value in sent
