from typing import Any

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.jsonx import JsonError
from iflow_cli_proxy.protocols.gemini.wire import WireRequest, decode_answer, decode_probe

HELLO: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"contents": []}, "contents"),
        ({"contents": [{"role": "robot"}]}, "contents[0].role"),
        ({"contents": [{"parts": [{"text": 1}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"inlineData": {"data": "AA"}}]}]}, "contents[0].parts[0].inlineData.mimeType"),
        (
            {"contents": [{"parts": [{"fileData": {"fileUri": "file:///etc/passwd"}}]}]},
            "contents[0].parts[0].fileData.fileUri",
        ),
        ({"contents": [{"parts": [{"functionCall": {"args": {}}}]}]}, "contents[0].parts[0].functionCall.name"),
        ({"generationConfig": {"temperature": 9}}, "generationConfig.temperature"),
        ({"generationConfig": {"candidateCount": 0}}, "generationConfig.candidateCount"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": -2}}},
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
        ({"model": "../x"}, "model"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(JsonError) as caught:
        jsonx.convert({**HELLO, **change}, WireRequest)

    assert caught.value.path == path


def test_what_nobody_documented_is_taken() -> None:
    body = {**HELLO, "tools": [{"newTool": {}}], "generationConfig": {"newSetting": 1}, "newField": [1]}

    assert jsonx.convert(body, WireRequest).tools is not None


def test_answers_are_read_as_far_as_they_matter() -> None:
    body = b'{"candidates":[{"index":1,"finishReason":"STOP","new":1}],"usageMetadata":3,"new":{}}'

    (candidate,) = decode_answer(body).candidates or ()
    (probed,) = decode_probe(body).candidates or ()
    assert (candidate.index, candidate.finish_reason) == (probed.index, probed.finish_reason) == (1, "STOP")
