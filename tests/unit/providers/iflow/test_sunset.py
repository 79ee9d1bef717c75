from __future__ import annotations

from datetime import UTC, datetime

from iflow_cli_proxy.providers.iflow import sunset


def test_the_end_is_the_instant_in_the_vendors_client() -> None:
    assert datetime.fromtimestamp(sunset.SUNSET_AT, UTC).isoformat() == "2026-04-16T16:00:00+00:00"


def test_the_hint_names_the_way_out_only_after_the_end() -> None:
    assert sunset.hint(sunset.SUNSET_AT - 1) == ""
    assert "iflow2api serve --upstream" in sunset.hint(sunset.SUNSET_AT)
