from __future__ import annotations

import pytest

from iflow_cli_proxy.core.trace import Parent, Trace, begin, read_parent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


def entropy(size: int) -> bytes:
    return bytes(range(1, size + 1))


def test_the_clients_span_is_read() -> None:
    assert read_parent([GOOD], ["a=1,b=2"]) == Parent(trace_id=TRACE, span_id=SPAN, is_sampled=True, state="a=1,b=2")


@pytest.mark.parametrize(
    ("flags", "is_sampled"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)]
)
def test_only_the_lowest_flag_says_that_it_is_recorded(flags: str, is_sampled: bool) -> None:
    parent = read_parent([f"00-{TRACE}-{SPAN}-{flags}"])

    assert parent is not None
    assert parent.is_sampled is is_sampled


def test_a_later_version_may_say_more() -> None:
    assert read_parent([f"01-{TRACE}-{SPAN}-01-what-is-to-come"]) == read_parent([GOOD])


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        GOOD.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}0-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"01-{TRACE}-{SPAN}-01x",
        f"00_{TRACE}_{SPAN}_01",
        f"{GOOD}\n",
        f"{GOOD},{GOOD}",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE[:-1]}\u0661-{SPAN}-01",
    ],
)
def test_what_does_not_keep_to_the_grammar_is_ignored(wrong: str) -> None:
    assert read_parent([wrong]) is None


def test_two_of_them_are_none() -> None:
    assert read_parent([GOOD, GOOD]) is None
    assert read_parent([]) is None


@pytest.mark.parametrize(
    ("headers", "state"),
    [
        (["rojo=00f067aa0ba902b7"], "rojo=00f067aa0ba902b7"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["a=1, b=2 ,, c=3"], "a=1,b=2,c=3"),
        (["fw529a3039@dt=FfAxMzM3"], "fw529a3039@dt=FfAxMzM3"),
        (["a=1,a=2"], ""),
        (["A=1"], ""),
        (["a"], ""),
        (["a=b=c"], ""),
        (["a=\r\nx: y"], ""),
        (["a=ü"], ""),
        ([",".join(f"k{number}=v" for number in range(33))], ""),
        (["a=" + "v" * 600], ""),
        ([], ""),
    ],
)
def test_a_state_is_passed_on_as_a_whole_or_not_at_all(headers: list[str], state: str) -> None:
    parent = read_parent([GOOD], headers)

    assert parent is not None
    assert parent.state == state


def test_a_request_goes_on_in_the_clients_trace() -> None:
    trace = begin(read_parent([GOOD], ["a=1"]), entropy, ratio=0.0)

    assert (trace.trace_id, trace.parent_id, trace.state) == (TRACE, SPAN, "a=1")
    assert trace.is_sampled, "who asks decides, whatever our own share is"
    assert trace.span_id == "0102030405060708"


def test_a_trace_the_client_does_not_record_is_not_recorded_here() -> None:
    assert not begin(read_parent([f"00-{TRACE}-{SPAN}-00"]), entropy, ratio=1.0).is_sampled


def test_without_a_client_there_is_a_trace_of_its_own() -> None:
    trace = begin(None, entropy)

    assert (trace.trace_id, trace.parent_id, trace.is_sampled) == ("0102030405060708090a0b0c0d0e0f10", "", True)


@pytest.mark.parametrize(("low", "ratio", "is_sampled"), [
    (0x00, 0.0, False), (0x00, 0.01, True),
    (0x7F, 0.5, True), (0x80, 0.5, False), (0xFF, 0.99, False), (0xFF, 1.0, True),
])  # fmt: skip
def test_a_share_is_recorded_by_the_lower_half_of_the_id(low: int, ratio: float, is_sampled: bool) -> None:
    assert begin(None, lambda size: bytes([low]) * size, ratio=ratio).is_sampled is is_sampled


def test_no_id_is_all_zeros() -> None:
    trace = begin(None, bytes)

    assert int(trace.trace_id, 16)
    assert int(trace.span_id, 16)
    assert read_parent([trace.headers(1)["traceparent"]]) is not None


def test_an_upstream_is_told_the_span_of_its_attempt() -> None:
    trace = Trace(trace_id=TRACE, span_id=SPAN, state="a=1")

    assert trace.headers(1) == {"traceparent": f"00-{TRACE}-{trace.attempt_id(1)}-01", "tracestate": "a=1"}
    assert trace.headers(2)["traceparent"] != trace.headers(1)["traceparent"]
    assert len({SPAN, *(trace.attempt_id(number) for number in range(1, 20))}) == 20


@pytest.mark.parametrize("span_id", ["f" * 16, "f" * 15 + "e", "0" * 15 + "1"])
def test_spans_of_attempts_are_ids_at_the_end_of_the_numbers_too(span_id: str) -> None:
    trace = Trace(trace_id=TRACE, span_id=span_id, is_sampled=False)
    found = [trace.attempt_id(number) for number in range(1, 5)]

    assert all(len(one) == 16 and int(one, 16) for one in found)
    assert len({span_id, *found}) == 5
    assert trace.headers(1)["traceparent"].endswith("-00")
