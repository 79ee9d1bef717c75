"""What Prometheus is told: counters and histograms fed by every exchange that ended, and what is true at a scrape.

Knows the names and labels of all metrics and how many values a label may take: none is chosen by strangers (I46).
Refuses to know exchanges and the live state: it is handed a row and, for each scrape, a `Vitals`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from iflow_cli_proxy.telemetry.vitals import PREFIX, Vitals, families

OTHER: Final = "other"
MOST_MODELS: Final = 200
MOST_KEYS: Final = 200
_CLIENT_GONE: Final = 499
_GOOD: Final = "ok"
_OPENMETRICS: Final = "application/openmetrics-text"
_MOST_SERIES_AT_HAND: Final = 4096

REQUEST_S: Final = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600, 1800)
"""Bounds for whole answers: a short one takes a second, a long agent's turn minutes."""
FIRST_BYTE_S: Final = (0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8, 15, 30, 60, 120)
OVERHEAD_S: Final = (0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.05, 0.1, 0.5, 1, 5, 30)
"""Our own work is below a millisecond; what is above is waiting for an account."""


class Try(Protocol):
    """One attempt of an exchange."""

    @property
    def route(self) -> str: ...
    @property
    def error_kind(self) -> str: ...


class Ended(Protocol):
    """What is counted of an exchange that ended; a row of the ledger is one."""

    @property
    def client(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def model_served(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def error_kind(self) -> str: ...
    @property
    def attempts(self) -> Sequence[Try]: ...
    @property
    def prompt(self) -> int: ...
    @property
    def cached(self) -> int: ...
    @property
    def completion(self) -> int: ...
    @property
    def reasoning(self) -> int: ...
    @property
    def first_byte_s(self) -> float | None: ...
    @property
    def duration_s(self) -> float: ...
    @property
    def overhead_s(self) -> float | None: ...
    @property
    def cost(self) -> float | None: ...
    @property
    def currency(self) -> str: ...


class _Series(NamedTuple):
    """Everything one kind of exchange adds to, found once: a lookup by labels costs more than the counting."""

    requests: Counter
    error: Counter | None
    prompt: Counter
    cached: Counter
    completion: Counter
    reasoning: Counter
    duration: Histogram
    first_byte: Histogram
    overhead: Histogram


class Metrics:
    """One for each server, with a registry of its own. `count` runs on the event loop, `exposition` in any thread."""

    def __init__(self, *, name_of: Callable[[str, str], str], by_key: bool = False) -> None:
        """`name_of` gives a provider's model its catalogue name, or nothing where no catalogue has it."""
        disable_created_metrics()  # type: ignore[no-untyped-call] # one gauge for each series, which nobody asks for; a switch for the whole library
        self._name_of = name_of
        self._by_key = by_key
        self._models: set[str] = set()
        self._keys: set[str] = set()
        self._series: dict[tuple[object, ...], _Series] = {}
        self._attempts: dict[tuple[str, str], Counter] = {}
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._declare(("key",) if by_key else ())

    def _declare(self, key: tuple[str, ...]) -> None:
        self._requests = self._counter(
            "requests", "Questions that ended.", "protocol", "model", "provider", "status", *key
        )
        self._errors = self._counter("errors", "Questions that failed.", "kind", "provider")
        self._tokens = self._counter("tokens", "Tokens; cached ones are prompt too, reasoning is completion too.",
                                     "model", "provider", "type", *key)  # fmt: skip
        self._cost = self._counter("cost", "What it cost where a price is known.", "currency", "provider", *key)
        self._tried = self._counter("attempts", "Tries at upstreams.", "provider", "outcome")
        self._retried = self._counter("retries", "Tries after the first one of a question.", "provider")
        self._refused = self._counter("unauthenticated", "Questions that brought no valid client key.", "protocol")
        self._duration = self._histogram("request_seconds", "From a question to the end of its answer.", REQUEST_S)
        self._first_byte = self._histogram("first_byte_seconds", "Until an answer began.", FIRST_BYTE_S)
        self._overhead = self._histogram(
            "overhead_seconds", "The gateway's own part of that, waiting for an account included.", OVERHEAD_S
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, bounds: Sequence[float]) -> Histogram:
        labels = ("protocol", "provider")
        return Histogram(PREFIX + name, text, labels, registry=self._registry, buckets=bounds)

    # --- counting -------------------------------------------------------------------------------------------------

    def count(self, ended: Ended) -> None:
        """Take an exchange in; a few microseconds."""
        series = self._series_of(ended)
        series.requests.inc()
        if series.error is not None:
            series.error.inc()
        if ended.prompt:
            series.prompt.inc(ended.prompt)
        if ended.cached:
            series.cached.inc(ended.cached)
        if ended.completion:
            series.completion.inc(ended.completion)
        if ended.reasoning:
            series.reasoning.inc(ended.reasoning)
        series.duration.observe(ended.duration_s)
        if ended.first_byte_s is not None:
            series.first_byte.observe(ended.first_byte_s)
        if ended.overhead_s is not None:
            series.overhead.observe(ended.overhead_s)
        if ended.cost:
            self._cost.labels(ended.currency, ended.provider, *self._key(ended)).inc(ended.cost)
        self._count_attempts(ended.attempts)

    def count_stranger(self, protocol: str) -> None:
        """A question without a valid key was refused."""
        self._refused.labels(protocol).inc()

    def _count_attempts(self, attempts: Sequence[Try]) -> None:
        for number, attempt in enumerate(attempts):
            provider = attempt.route.partition("/")[0]
            labels = (provider, attempt.error_kind or _GOOD)
            if (tried := self._attempts.get(labels)) is None:
                tried = self._attempts[labels] = self._tried.labels(*labels)
            tried.inc()
            if number:
                self._retried.labels(provider).inc()

    def _series_of(self, ended: Ended) -> _Series:
        model, key = self._model(ended.provider, ended.model_served), self._key(ended)
        kind = (ended.protocol, model, ended.provider, ended.status, ended.error_kind, *key)
        series = self._series.get(kind)
        if series is None:
            if len(self._series) >= _MOST_SERIES_AT_HAND:
                self._series.clear()
            series = self._series[kind] = self._new_series(ended, model, key)
        return series

    def _new_series(self, ended: Ended, model: str, key: tuple[str, ...]) -> _Series:
        provider, of_protocol = ended.provider, (ended.protocol, ended.provider)
        error = _error(ended)
        tokens = {
            kind: self._tokens.labels(model, provider, kind, *key)
            for kind in ("prompt", "cached", "completion", "reasoning")
        }
        return _Series(
            requests=self._requests.labels(ended.protocol, model, provider, str(ended.status), *key),
            error=self._errors.labels(error, provider) if error else None,
            **tokens,
            duration=self._duration.labels(*of_protocol),
            first_byte=self._first_byte.labels(*of_protocol),
            overhead=self._overhead.labels(*of_protocol),
        )

    def _model(self, provider: str, model: str) -> str:
        """Empty where nobody was asked. Only catalogues make new values: clients may ask for whatever they like."""
        name = self._name_of(provider, model) or OTHER if model else ""
        return _bounded(name, self._models, MOST_MODELS)

    def _key(self, ended: Ended) -> tuple[str, ...]:
        return (_bounded(ended.client, self._keys, MOST_KEYS),) if self._by_key else ()

    # --- telling --------------------------------------------------------------------------------------------------

    def exposition(self, vitals: Vitals, accept: str = "") -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics for who takes it, else the older format."""
        encode, content_type = choose_encoder(_OPENMETRICS if _OPENMETRICS in accept else "")
        return encode(_Scrape(self._registry, vitals)), content_type


class _Scrape(Collector):
    """The counters and the moment, side by side."""

    def __init__(self, registry: CollectorRegistry, vitals: Vitals) -> None:
        self._registry = registry
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()
        yield from families(self._vitals)


def _error(ended: Ended) -> str:
    """Its kind; a client that left is nobody's failure."""
    if ended.status == _CLIENT_GONE or (not ended.error_kind and ended.status < 400):
        return ""
    return ended.error_kind or f"http_{ended.status}"


def _bounded(value: str, known: set[str], most: int) -> str:
    if value in known:
        return value
    if len(known) >= most:
        return OTHER
    known.add(value)
    return value
