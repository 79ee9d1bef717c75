from __future__ import annotations

from prometheus_client.metrics_core import Metric

from iflow_cli_proxy import __version__
from iflow_cli_proxy.telemetry.vitals import Vitals, families


def told(vitals: Vitals) -> dict[str, Metric]:
    return {family.name: family for family in families(vitals)}


def test_each_number_is_one_sample_under_its_labels() -> None:
    found = told(Vitals(in_flight=3, accounts={("qwen", "ok"): 2, ("qwen", "cooling"): 1}, ledger_dropped=7))

    assert [(one.labels, one.value) for one in found["iflow2api_accounts"].samples] == [
        ({"provider": "qwen", "state": "ok"}, 2),
        ({"provider": "qwen", "state": "cooling"}, 1),
    ]
    assert found["iflow2api_in_flight"].samples[0].value == 3
    [dropped] = found["iflow2api_ledger_rows_dropped"].samples
    assert (dropped.name, dropped.value) == ("iflow2api_ledger_rows_dropped_total", 7)


def test_it_says_which_build_this_is() -> None:
    [build] = told(Vitals())["iflow2api_build_info"].samples

    assert build.labels["version"] == __version__
    assert build.value == 1
