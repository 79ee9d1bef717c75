from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from iflow_cli_proxy.state.ledger_row import Attempt, Row
from iflow_cli_proxy.telemetry.metrics import MOST_KEYS, MOST_MODELS, OTHER, Metrics
from iflow_cli_proxy.telemetry.vitals import Vitals

PAGE: Final = Path(__file__).parents[3] / "docs" / "metrics.md"
GOOD: Final = Row(
    request_id="r",
    at=0.0,
    client="team",
    account="work",
    provider="up",
    model_asked="m",
    model_served="m",
    protocol="openai_chat",
    status=200,
    attempts=(Attempt(account="work", route="up/m"),),
    prompt=100,
    cached=60,
    completion=20,
    reasoning=5,
    first_byte_s=0.7,
    duration_s=3.0,
    overhead_s=0.0004,
    cost=0.5,
    currency="USD",
)


def row(**changes: Any) -> Row:
    return Row(**{**{name: getattr(GOOD, name) for name in Row.__slots__}, **changes})


def metrics(known: Iterable[str] = ("m",), **options: bool) -> Metrics:
    names = {name.lower(): name for name in known}
    return Metrics(name_of=lambda _, model: names.get(model.lower(), ""), **options)


def told(it: Metrics, vitals: Vitals | None = None) -> dict[str, Metric]:
    """Families by name."""
    text, _ = it.exposition(vitals or Vitals())
    return {family.name: family for family in parse(text.decode())}


def samples(it: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Values of a counter that are not 0, by those of its labels, which come in the order of their names."""
    family = told(it)[f"iflow2api_{name}"]
    return {tuple(label for _, label in sorted(one.labels.items())): one.value for one in family.samples if one.value}


def test_an_answer_adds_to_everything_it_is_about() -> None:
    it = metrics()
    it.count(GOOD)
    it.count(GOOD)

    assert samples(it, "requests") == {("m", "openai_chat", "up", "200"): 2}
    assert samples(it, "tokens") == {
        ("m", "up", "prompt"): 200,
        ("m", "up", "cached"): 120,
        ("m", "up", "completion"): 40,
        ("m", "up", "reasoning"): 10,
    }
    assert samples(it, "cost") == {("USD", "up"): 1.0}
    assert samples(it, "attempts") == {("ok", "up"): 2}
    assert samples(it, "errors") == samples(it, "retries") == {}


@pytest.mark.parametrize(
    ("name", "total", "below", "above"),
    [
        ("request_seconds", 3.0, "2.0", "4.0"),
        ("first_byte_seconds", 0.7, "0.5", "1.0"),
        ("overhead_seconds", 0.0004, "0.00025", "0.0005"),
    ],
)
def test_times_fall_into_buckets(name: str, total: float, below: str, above: str) -> None:
    it = metrics()
    it.count(GOOD)

    found = {(one.name, one.labels.get("le")): one for one in told(it)[f"iflow2api_{name}"].samples}

    assert found[f"iflow2api_{name}_sum", None].value == total
    assert found[f"iflow2api_{name}_bucket", below].value == 0
    assert found[f"iflow2api_{name}_bucket", above].value == 1
    assert found[f"iflow2api_{name}_sum", None].labels == {"protocol": "openai_chat", "provider": "up"}


def test_a_failure_is_counted_by_its_kind_and_tries_by_what_became_of_them() -> None:
    it = metrics()
    tries = tuple(Attempt(account="a", route=route, error_kind=kind) for route, kind in
                  [("up/m", "overloaded"), ("up/m", "overloaded"), ("down/m", "timed_out")])  # fmt: skip
    it.count(row(status=504, error_kind="timed_out", attempts=tries, provider="down", first_byte_s=None, cost=None))
    it.count(row(status=404, error_kind="", attempts=(), provider="", model_served="", overhead_s=None))

    assert samples(it, "errors") == {("timed_out", "down"): 1, ("http_404", ""): 1}
    assert samples(it, "attempts") == {("overloaded", "up"): 2, ("timed_out", "down"): 1}
    assert samples(it, "retries") == {("up",): 1, ("down",): 1}


def test_a_client_that_left_is_nobodys_failure() -> None:
    it = metrics()
    it.count(row(status=499, error_kind="client_gone"))

    assert samples(it, "errors") == {}
    assert samples(it, "requests") == {("m", "openai_chat", "up", "499"): 1}


def test_callers_without_a_key_are_counted_apart() -> None:
    it = metrics()
    it.count_stranger("gemini")

    assert samples(it, "unauthenticated") == {("gemini",): 1}
    assert samples(it, "requests") == {}


def test_ten_thousand_models_make_one_series() -> None:
    """I46: what clients make up is no label, and neither is how they spell what there is."""
    it, chance = metrics(("GLM-5",)), random.Random(5)
    for number in range(10_000):
        it.count(row(model_served=f"made-up-{chance.random()}", status=404, error_kind="unknown_model"))
        it.count(row(model_served="".join(chance.choice((str.upper, str.lower))(one) for one in "glm-5")))
        if number == 10:
            early = len(it.exposition(Vitals())[0])

    assert {labels[0] for labels in samples(it, "requests")} == {"GLM-5", OTHER}
    assert len(it.exposition(Vitals())[0]) < early + 500


def test_a_catalogue_of_thousands_does_not_make_thousands_of_series_either() -> None:
    names = [f"model-{number}" for number in range(10_000)]
    it = metrics(names)
    for name in names:
        it.count(row(model_served=name))

    models = [labels[0] for labels in samples(it, "requests")]
    assert len(models) == MOST_MODELS + 1
    assert OTHER in models


def test_keys_are_labels_only_where_that_is_wanted() -> None:
    assert "team" not in metrics().exposition(Vitals())[0].decode()
    it = metrics(by_key=True)
    it.count(GOOD)
    for number in range(MOST_KEYS * 2):
        it.count(row(client=f"key {number}"))

    assert samples(it, "requests")["team", "m", "openai_chat", "up", "200"] == 1
    assert samples(it, "cost")["USD", "team", "up"] == 0.5
    assert len({labels[0] for labels in samples(it, "tokens")}) == MOST_KEYS + 1


def test_a_name_that_says_quotes_and_lines_stays_one_label() -> None:
    strange = 'm"} 1\niflow2api_forged{x="y'
    it = metrics((strange,))
    it.count(row(model_served=strange))

    assert "iflow2api_forged" not in told(it)
    assert samples(it, "requests") == {(strange, "openai_chat", "up", "200"): 1}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=nonsense", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text"),
        ("application/openmetrics-text;version=x\ty", "application/openmetrics-text"),
    ],
)
def test_the_format_is_what_the_scraper_takes(accept: str, content_type: str) -> None:
    it = metrics()
    it.count(GOOD)
    text, kind = it.exposition(Vitals(), accept)

    assert kind.startswith(content_type)
    assert "nonsense" not in kind
    assert "\t" not in kind
    reader = parse_open if kind.startswith("application") else parse
    assert "iflow2api_requests" in {family.name for family in reader(text.decode())}


def everything() -> dict[str, Metric]:
    """Every family there is, with at least one sample."""
    it = metrics(by_key=True)
    it.count(GOOD)
    it.count(row(status=500, error_kind="internal", attempts=(*GOOD.attempts, *GOOD.attempts)))
    it.count_stranger("gemini")
    full = Vitals(
        accounts={("up", "ok"): 1},
        breakers={("up.test", "open"): 1},
        model_breakers={("up",): 0},
        refreshes={("qwen", "ok"): 1},
    )
    return told(it, full)


def described(family: Metric) -> str:
    """Its line in the table. A `key` is a label only where `metrics.by_key` is set."""
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = dict.fromkeys(label for one in family.samples for label in sorted(one.labels) if label != "le")
    shown = ", ".join(f"(`{label}`)" if label == "key" else f"`{label}`" for label in labels)
    return f"| `{name}` | {family.type} | {shown} | {family.documentation} |"


def test_the_page_names_every_metric_as_it_is() -> None:
    """Where this fails, the table of docs/metrics.md is to become what is expected here."""
    page = PAGE.read_text(encoding="utf-8")
    found = [line for line in page.splitlines() if line.startswith("| `iflow2api_")]

    assert found == [described(family) for name, family in everything().items() if name.startswith("iflow2api_")]
    assert all(f"`{name}" in page for name in everything())


def test_every_metric_has_a_sample_and_help() -> None:
    for family in everything().values():
        assert family.samples
        assert family.documentation.endswith(".")
