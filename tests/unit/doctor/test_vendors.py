from __future__ import annotations

import pytest

from iflow_cli_proxy.doctor.finding import Status
from iflow_cli_proxy.doctor.vendors import VENDORS, notices, vendor_of
from tests.support.machines import NOW


@pytest.mark.parametrize(
    ("kind", "url", "name"),
    [
        ("iflow", "https://apis.iflow.cn/v1", "iFlow"),
        ("qwen", "https://portal.qwen.ai/v1", "Qwen"),
        ("iflow", "https://relay.example/v1", ""),
        ("iflow", "https://iflow.cn.evil.example/v1", ""),
        ("qwen", "https://dashscope.aliyuncs.com/compatible-mode/v1", ""),
        ("openai_compatible", "https://apis.iflow.cn/v1", ""),
    ],
)
def test_a_vendor_stands_behind_its_own_addresses_only(kind: str, url: str, name: str) -> None:
    vendor = vendor_of(kind, url)

    assert (vendor.name if vendor else "") == name


def test_people_of_a_vendor_that_has_ended_are_told_with_a_way_out() -> None:
    (iflow,) = notices(["iflow", "deepseek"], NOW)
    (qwen,) = notices(["qwen"], NOW)

    assert (iflow.status, qwen.status) == (Status.NOTE, Status.NOTE)
    assert "2026-04-17" in iflow.text
    assert "iflow2api serve --upstream URL" in iflow.action
    assert "2026-04-15" in qwen.text
    assert "https://dashscope-intl.aliyuncs.com/compatible-mode/v1" in qwen.action


def test_before_the_end_nobody_is_told() -> None:
    assert notices(["iflow", "qwen"], min(vendor.ended_at for vendor in VENDORS) - 1) == []
