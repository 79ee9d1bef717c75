from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.providers.qwen.arguments import mended


@pytest.mark.parametrize("good", ["{}", '{"a": [1, "x"]}', "null", " {} ", '"text"'])
def test_what_is_json_already_stays_to_the_letter(good: str) -> None:
    assert mended(good) == good


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("", "{}"),
        ("  \n", "{}"),
        (None, "{}"),
        ({"a": 1}, '{"a":1}'),
        ('{"path": "/tmp/x', '{"path": "/tmp/x"}'),
        ('{"a": {"b": [1, 2', '{"a": {"b": [1, 2]}}'),
        ('{"a": "say \\"hi', '{"a": "say \\"hi"}'),
        ('{"a": "}]', '{"a": "}]"}'),
        ('{"a": [1]', '{"a": [1]}'),
    ],
)
def test_what_was_cut_is_closed(given: Any, sent: str) -> None:
    assert mended(given) == sent


@pytest.mark.parametrize("given", ['{"a":', "ls -la", "}{", '{"a": tru', "]", '{"a": "x\\', "[" * 100_000])
def test_what_cannot_be_closed_is_handed_on_as_a_text(given: str) -> None:
    assert jsonx.decode(mended(given)) == {"arguments": given}
