"""What is true of a server at the moment of a scrape, and how Prometheus is told.

Refuses to know where the numbers come from.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from iflow_cli_proxy import __version__

Counts: TypeAlias = Mapping[tuple[str, ...], int]
"""By the values of their labels."""

PREFIX: Final = "iflow2api_"


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """What is true of a server at one moment. Counts by their labels, in the order the metrics name them."""

    is_accepting: bool = False
    in_flight: int = 0
    queue: int = 0
    connections: int = 0
    accounts: Counts = field(default_factory=dict)
    """By provider and state."""
    breakers: Counts = field(default_factory=dict)
    """By host and state."""
    model_breakers: Counts = field(default_factory=dict)
    """Of families of models on single accounts, those that are open, by provider."""
    refreshes: Counts = field(default_factory=dict)
    """Since the start, by provider and outcome."""
    ledger_waiting: int = 0
    ledger_dropped: int = 0
    log_lines_lost: int = 0


def families(now: Vitals) -> Iterator[Metric]:
    yield _gauge("build_info", "Always 1.", {(__version__, platform.python_version()): 1}, "version", "python")
    yield _gauge("accepting", "1 while new prompts are taken.", {(): int(now.is_accepting)})
    yield _gauge("in_flight", "Requests being served.", {(): now.in_flight})
    yield _gauge("queue", "Requests that wait for an account.", {(): now.queue})
    yield _gauge("client_connections", "Open connections of clients.", {(): now.connections})
    yield _gauge("accounts", "Accounts that are known.", now.accounts, "provider", "state")
    yield _gauge(
        "breakers", "Circuit breakers of upstream hosts: 1 in the state it is in.", now.breakers, "host", "state"
    )
    yield _gauge("model_breakers", "Open breakers of models on single accounts.", now.model_breakers, "provider")
    yield _gauge("ledger_rows_waiting", "Rows of the ledger not yet written.", {(): now.ledger_waiting})
    yield _counted("refreshes", "Refreshes of tokens.", now.refreshes, "provider", "outcome")
    yield _counted("ledger_rows_dropped", "Rows of the ledger that were lost.", {(): now.ledger_dropped})
    yield _counted("log_lines_lost", "Log lines that were lost.", {(): now.log_lines_lost})


def _gauge(name: str, text: str, values: Counts, *labels: str) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for of_labels, value in values.items():
        family.add_metric(of_labels, value)
    return family


def _counted(name: str, text: str, values: Counts, *labels: str) -> Metric:
    family = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for of_labels, value in values.items():
        family.add_metric(of_labels, value)
    return family
