from __future__ import annotations

import pytest

from iflow_cli_proxy.core.spans import span

H = 3600.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.2, "0 s"), (59, "59 s"), (59.7, "1 min"), (-90, "2 min"), (125, "2 min"), (3540, "59 min"),
        (3599, "1 h"), (6 * H - 1, "6 h"), (24 * H, "24 h"), (47 * H, "47 h"), (48 * H - 1, "2 d"),
        (400 * 24 * H, "400 d"),
    ],
)  # fmt: skip
def test_a_span_is_rounded_and_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert span(seconds) == text
