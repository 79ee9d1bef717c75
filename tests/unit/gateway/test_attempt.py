from __future__ import annotations

import dataclasses

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.gateway.attempt import AnswerRules
from iflow_cli_proxy.gateway.relay import Relay, WholeAnswer
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.routing.parameters import ParameterRule
from tests.support.exchanges import PROVIDER, bench
from tests.support.fake_transport import FakeReply
from tests.support.faults import GOOD_EVENTS, piece, whole

EVENTS = b"".join(f"data: {data}\n\n".encode() for data in GOOD_EVENTS)


async def test_a_json_answer_frees_the_account_before_it_is_returned() -> None:
    it = bench(FakeReply(whole()))
    answer = await it.answer()

    assert isinstance(answer, WholeAnswer)
    assert it.in_flight == 0
    assert it.transport.replies[0].is_closed
    assert it.endings == [("label 0", "")]


async def test_a_stream_holds_the_account_until_it_is_closed() -> None:
    it = bench(FakeReply(EVENTS))
    answer = await it.answer(stream=True)

    assert isinstance(answer, Relay)
    assert it.in_flight == 1
    assert it.endings == []
    while await answer.read():
        pass
    await answer.aclose()
    assert it.in_flight == 0
    assert it.transport.replies[0].is_closed
    assert it.endings == [("label 0", "")]


async def test_a_stream_that_breaks_off_counts_against_the_account() -> None:
    it = bench(FakeReply(f"data: {piece('a')}\n\n".encode()))
    await it.body(stream=True)

    assert it.endings == [("label 0", "upstream_cut")]
    assert it.exchanges[-1].error_kind == "upstream_cut"
    assert it.pool.standings()[0].failures_in_a_row == 1


async def test_a_stream_that_the_client_leaves_counts_against_nobody() -> None:
    it = bench(FakeReply(f"data: {piece('a')}\n\n".encode(), EVENTS))
    answer = await it.answer(stream=True)
    assert isinstance(answer, Relay)
    await answer.read()
    await answer.aclose()

    assert it.endings == [("label 0", "cancelled")]
    assert it.exchanges[-1].error_kind == ""
    assert it.pool.standings()[0].failures_in_a_row == 0
    assert it.in_flight == 0


@pytest.mark.parametrize(("status", "counts"), [(400, 0), (500, 1), (401, 1), (429, 1)])
async def test_only_the_account_and_its_upstream_are_blamed(status: int, counts: int) -> None:
    it = bench(FakeReply(b"{}", status=status, headers={"retry-after": "9"}))
    with pytest.raises(GatewayError):
        await it.answer(headers={"x-no-retry": "1"})

    assert it.pool.standings()[0].failures_in_a_row == counts
    assert it.endings[0][1] != ""


async def test_usage_is_what_the_upstream_says_else_an_estimate() -> None:
    it = bench(FakeReply(whole()), FakeReply(EVENTS))
    await it.body()
    known = it.exchanges[-1].usage
    await it.body(stream=True)
    estimated = it.exchanges[-1].usage

    assert known is not None
    assert (known.total, known.is_estimated) == (8, False)
    assert estimated is not None
    assert estimated.is_estimated
    assert 0 < estimated.completion < 100


async def test_the_client_learns_who_answered_unless_that_is_turned_off() -> None:
    headers = {"x-ratelimit-remaining-requests": "7", "x-ratelimit-odd": "a\rb", "server": "secret", "set-cookie": "x"}
    told = (await bench(FakeReply(whole(), headers=headers)).answer()).headers
    untold = (
        await bench(FakeReply(whole(), headers=headers), answer_rules=AnswerRules(names_account=False)).answer()
    ).headers

    assert told.pop("x-iflow2api-overhead-ms")  # type: ignore[attr-defined]  # a dict, in fact
    assert told == {
        "x-ratelimit-remaining-requests": "7",
        "x-iflow2api-account": "label 0",
        "x-iflow2api-route": "up/m",
        "x-iflow2api-attempts": "1",
    }
    assert untold == {"x-ratelimit-remaining-requests": "7"}


async def test_a_name_that_no_header_can_carry_is_made_fit() -> None:
    it = bench(FakeReply(whole()))
    it.pool.replace([Account(id="a", provider=PROVIDER, label="müller\r\nX-Evil: 1")])

    assert (await it.answer()).headers["x-iflow2api-account"] == "m?ller??X-Evil: 1"


async def test_parameter_rules_are_applied_to_what_is_sent() -> None:
    rule = ParameterRule(pattern="*", override={"temperature": 0.5}, remove=("seed",))
    it = bench(FakeReply(whole()), answer_rules=AnswerRules(parameters=(rule,)))
    await it.answer(seed=7, temperature=1)

    sent = jsonx.decode(it.transport.requests[0].body)
    assert sent["temperature"] == 0.5
    assert "seed" not in sent


SECOND = piece("b").replace('"index":0', '"index":1')
STOPPED = [piece("a"), piece("", "stop"), SECOND, piece("", "stop").replace('"index":0', '"index":1')]


@pytest.mark.parametrize(
    ("sent", "kind"), [(STOPPED[:2], "upstream_cut"), (STOPPED[:3], "upstream_cut"), (STOPPED, "")]
)
async def test_f16_a_stream_without_the_second_answer_asked_for_is_cut(sent: list[str], kind: str) -> None:
    assert all('"index"' in event for event in sent)
    it = bench(FakeReply("".join(f"data: {event}\n\n" for event in sent).encode()))
    await it.body(stream=True, n=2)

    assert it.exchanges[-1].error_kind == kind


async def test_only_answers_that_the_upstream_was_asked_for_are_missed() -> None:
    """A rule took `n` out of the request."""
    rule = ParameterRule(pattern="*", remove=("n",))
    it = bench(
        FakeReply("".join(f"data: {event}\n\n" for event in STOPPED[:2]).encode()),
        answer_rules=AnswerRules(parameters=[rule]),
    )
    await it.body(stream=True, n=2)

    assert it.exchanges[-1].error_kind == ""


async def test_an_account_s_pace_counts_the_prompt_too_where_the_upstream_counted_nothing() -> None:
    spent = {}
    for name, text in (("short", "a"), ("long", "a" * 40_000)):
        it = bench(FakeReply(EVENTS))
        it.pool.replace([Account(id="0", provider="up", label="0", tpm=1_000_000)])
        await it.body(stream=True, messages=[{"role": "user", "content": text}])
        standing = it.pool.standings()[0]
        spent[name] = standing._pace._window.second

    assert spent["long"] - spent["short"] == pytest.approx(10_000, rel=0.01)


async def test_a_probed_upstream_is_asked_for_what_it_takes_even_in_its_own_protocol() -> None:
    late = [{"role": "user", "content": "a"}, {"role": "system", "content": "b"}, {"role": "user", "content": "c"}]
    sent = {}
    for name, probed in (("unknown", None), ("refusing", Profile(late_system=False))):
        it = bench(FakeReply(whole()))
        upstreams = {"up": dataclasses.replace(it.gateway.upstreams["up"], probed=probed)}
        it.gateway._means = dataclasses.replace(it.gateway._means, upstreams=upstreams)
        await it.body(messages=late)
        sent[name] = [message["role"] for message in jsonx.decode(it.transport.requests[-1].body)["messages"]]

    assert sent == {"unknown": ["user", "system", "user"], "refusing": ["user", "user", "user"]}
