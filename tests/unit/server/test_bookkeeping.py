from __future__ import annotations

from typing import Any

from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.gateway.record import AttemptRecord, Exchange
from iflow_cli_proxy.routing.prices import Price, PriceTable
from iflow_cli_proxy.routing.resolve import Route
from iflow_cli_proxy.server.bookkeeping import dollars, row_of
from iflow_cli_proxy.state.ledger_row import Attempt, Row

PRICES = PriceTable([Price(model="zai/*", prompt=1.0, completion=2.0)])


def exchange(**fields: Any) -> Exchange:
    return Exchange(**{"request_id": "req_1", "protocol": "openai_chat", "started_at": 10.0, **fields})


def kept(one: Exchange) -> Row:
    return row_of(one, PRICES, 1_700_000_000.0, 12.5)


def test_an_exchange_that_went_well_is_kept_whole() -> None:
    one = exchange(
        client="alice",
        asked="claude",
        is_stream=True,
        attempts=[
            AttemptRecord(account="a", route="iflow/glm-5", error_kind="busy", duration_s=0.5),
            AttemptRecord(account="b", route="zai/z/glm-5", duration_s=1.0),
        ],
        account="b",
        route="zai/z/glm-5",
        answered_by=Route(provider="zai", model="z/glm-5"),
        usage=Usage(prompt=1_000_000, completion=500_000, cached=7, reasoning=3),
        usage_beside=Usage(prompt=99),
        status=200,
        first_byte_s=0.75,
        waited_s=0.5,
        bytes_in=300,
        bytes_out=400,
    )
    assert kept(one) == Row(
        request_id="req_1",
        at=1_700_000_000.0,
        client="alice",
        account="b",
        provider="zai",
        model_asked="claude",
        model_served="z/glm-5",
        protocol="openai_chat",
        is_stream=True,
        status=200,
        attempts=(
            Attempt(account="a", route="iflow/glm-5", error_kind="busy", duration_s=0.5),
            Attempt(account="b", route="zai/z/glm-5", duration_s=1.0),
        ),
        prompt=1_000_000,
        cached=7,
        completion=500_000,
        reasoning=3,
        bytes_in=300,
        bytes_out=400,
        first_byte_s=0.75,
        duration_s=2.5,
        overhead_s=0.25,
        cost=2.0,
        currency="USD",
    )


def test_without_an_answer_the_last_attempt_says_where_it_was() -> None:
    row = kept(exchange(asked="x", route="zai/glm-5", status=502, error_kind="upstream_failing", bytes_in=4000))
    assert (row.provider, row.model_served, row.error_kind) == ("zai", "glm-5", "upstream_failing")
    assert (row.prompt, row.is_estimated, row.cost, row.currency) == (0, False, None, "")
    assert (row.first_byte_s, row.overhead_s) == (None, None)


def test_a_request_that_went_nowhere_names_no_model_that_served_it() -> None:
    row = kept(exchange(asked="x", status=404, error_kind="unknown_model"))
    assert (row.model_asked, row.model_served, row.provider, row.attempts) == ("x", "", "", ())


def test_what_nobody_counted_is_estimated_from_sizes() -> None:
    counted_out = kept(exchange(usage=Usage(completion=50, is_estimated=True), bytes_in=400, first_byte_s=1.0))
    left_early = kept(exchange(bytes_in=400, first_byte_s=1.0, status=499))
    known = kept(exchange(usage=Usage(prompt=5, completion=50, is_estimated=True), bytes_in=400))
    assert [(row.prompt, row.completion, row.is_estimated) for row in (counted_out, left_early, known)] == [
        (100, 50, True),
        (100, 0, True),
        (5, 50, True),
    ]


def test_budgets_count_dollars_only() -> None:
    one = exchange(route="zai/m", usage=Usage(prompt=2_000_000))
    yuan = PriceTable([Price(model="*", prompt=1.0, completion=2.0, currency="CNY")])
    assert [dollars(one, prices) for prices in (PRICES, yuan, PriceTable())] == [2.0, 0.0, 0.0]


def test_a_key_that_was_sent_as_the_model_is_not_written_down() -> None:
    key = "sk-abcdefghijklmnop"
    one = exchange(asked=key, route=f"up/{key}")
    one.attempts.append(AttemptRecord(account="a", route=f"up/{key}"))

    assert "abcdefgh" not in repr(row_of(one, PriceTable(), 0.0, 1.0))
