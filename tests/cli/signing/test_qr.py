"""QR codes in characters, read back by looking at what each half block stands for."""

from __future__ import annotations

import pytest
import segno

from iflow_cli_proxy.cli.signing.qr import qr_lines

URL = "https://chat.qwen.ai/authorize?user_code=ABCD-EFGH&client=qwen-code"
DRAWN = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


def modules(lines: list[str]) -> list[list[int]]:
    rows: list[list[int]] = []
    for line in lines:
        pairs = [DRAWN[char] for char in line]
        rows += [[upper for upper, _ in pairs], [lower for _, lower in pairs]]
    return rows


@pytest.mark.parametrize("text", [URL, "x", "https://example.com/" + "a" * 300])
@pytest.mark.parametrize("draws_light", [False, True])
def test_the_blocks_are_the_modules_of_the_code_with_a_margin_on_each_side(text: str, draws_light: bool) -> None:
    code = segno.make(text, error="l", micro=False)
    wanted = [[int(module) for module in row] for row in code.matrix_iter(border=2)]
    wanted += [[0] * len(wanted[0])] * (len(wanted) % 2)

    drawn = modules(qr_lines(text, draws_light=draws_light))

    assert drawn == [[module ^ draws_light for module in row] for row in wanted]


def test_the_address_of_qwen_fits_into_40_columns_and_a_usual_window() -> None:
    lines = qr_lines(URL)

    assert {len(line) for line in lines} == {37}
    assert len(lines) == 19
