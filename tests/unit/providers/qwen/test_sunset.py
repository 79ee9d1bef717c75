from __future__ import annotations

from datetime import UTC, datetime

from iflow_cli_proxy.providers.qwen.sunset import ENDED_AT, hint, is_past


def test_the_end_is_a_day_in_april() -> None:
    assert datetime.fromtimestamp(ENDED_AT, UTC).isoformat() == "2026-04-15T00:00:00+00:00"
    assert not is_past(ENDED_AT - 1)
    assert is_past(ENDED_AT)


def test_the_way_out_is_named_only_afterwards() -> None:
    assert hint(ENDED_AT - 1) == ""
    assert "2026-04-15" in hint(ENDED_AT)
    assert "https://coding-intl.dashscope.aliyuncs.com/v1" in hint(ENDED_AT)
