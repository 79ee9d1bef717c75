from __future__ import annotations

from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.protocols.openai_chat.reasoning import Thought, thought_of
from iflow_cli_proxy.protocols.openai_chat.wire import WireDelta

TEXT = {"type": "reasoning.text", "text": "Hm.", "signature": "sig", "index": 0}
SUMMARY = {"type": "reasoning.summary", "summary": "In short."}
SEALED = {"type": "reasoning.encrypted", "data": "AAAA"}


def thought(**fields: Any) -> Thought:
    return thought_of(jsonx.convert(fields, WireDelta))


@pytest.mark.parametrize(
    ("fields", "text", "seals"),
    [
        ({}, "", {}),
        ({"reasoning_content": "a"}, "a", {}),
        ({"reasoning": "a"}, "a", {}),
        ({"reasoning_content": "a", "signature": "s"}, "a", {"signature": "s"}),
        ({"reasoning_details": [TEXT, SUMMARY]}, "Hm.In short.", {"signature": "sig"}),
        ({"reasoning": "Hm.", "reasoning_details": [TEXT]}, "Hm.", {"signature": "sig"}),
        ({"reasoning_details": [SEALED]}, "", {"encrypted": "AAAA"}),
        ({"reasoning_details": [1, {"text": 2}, None]}, "", {}),
        ({"reasoning_details": "odd"}, "", {}),
    ],
)
def test_thinking_is_found_wherever_it_stands(fields: dict[str, Any], text: str, seals: dict[str, str]) -> None:
    assert thought(**fields) == Thought(text, seals)
