"""From an exchange that has ended to its row in the ledger.

Knows what the record of an exchange means in tokens and money. Refuses to know how rows are written.
"""

from __future__ import annotations

from iflow_cli_proxy.core.usage import Usage, estimate_tokens
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.routing.prices import PriceTable
from iflow_cli_proxy.state.ledger_queries import DOLLARS
from iflow_cli_proxy.state.ledger_row import Attempt, Row
from iflow_cli_proxy.telemetry.redact import shown_name


def row_of(exchange: Exchange, prices: PriceTable, now: float, monotonic: float) -> Row:
    """What is kept of an exchange that ended at `now` (epoch seconds), which was `monotonic`.

    What was asked for its sake (descriptions of images) is no part of it: that is an exchange of its own.
    """
    provider, model = _served_by(exchange)
    usage = usage_of(exchange)
    cost = prices.cost_of(provider, model, usage)
    first_byte_s = exchange.first_byte_s
    return Row(
        request_id=exchange.request_id,
        at=now,
        client=exchange.client,
        account=exchange.account,
        provider=provider,
        model_asked=shown_name(exchange.asked),
        model_served=shown_name(model),
        protocol=exchange.protocol,
        is_stream=exchange.is_stream,
        status=exchange.status,
        error_kind=exchange.error_kind,
        attempts=tuple(
            Attempt(
                account=one.account, route=shown_name(one.route), error_kind=one.error_kind, duration_s=one.duration_s
            )
            for one in exchange.attempts
        ),
        prompt=usage.prompt,
        cached=usage.cached,
        completion=usage.completion,
        reasoning=usage.reasoning,
        is_estimated=usage.is_estimated,
        bytes_in=exchange.bytes_in,
        bytes_out=exchange.bytes_out,
        first_byte_s=first_byte_s,
        duration_s=max(0.0, monotonic - exchange.started_at),
        overhead_s=None if first_byte_s is None else max(0.0, first_byte_s - exchange.waited_s),
        cost=None if cost is None else cost.amount,
        currency="" if cost is None else cost.currency,
    )


def dollars(exchange: Exchange, prices: PriceTable) -> float:
    """What an exchange cost as far as budgets go, which are in US dollars; 0 where no price is known."""
    cost = prices.cost_of(*_served_by(exchange), usage_of(exchange))
    return cost.amount if cost is not None and cost.currency == DOLLARS else 0.0


def _served_by(exchange: Exchange) -> tuple[str, str]:
    """Provider and model of the answer; without one, of the last attempt."""
    if exchange.answered_by is not None:
        return exchange.answered_by.provider, exchange.answered_by.model
    provider, _, model = exchange.route.partition("/")
    return provider, model


def usage_of(exchange: Exchange) -> Usage:
    """As the upstream counted; else what came out is estimated already, and what went in is taken from the size.

    An answer that never began used nothing that anybody could know of.
    """
    usage = exchange.usage
    if usage is None:
        is_unknown = exchange.first_byte_s is not None
        return Usage(prompt=estimate_tokens(exchange.bytes_in), is_estimated=True) if is_unknown else Usage()
    if usage.is_estimated and not usage.prompt:
        return usage + Usage(prompt=estimate_tokens(exchange.bytes_in))
    return usage
