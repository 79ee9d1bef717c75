from __future__ import annotations

from typing import Any, Final

import pytest

from iflow_cli_proxy.core.errors import every_error
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.server.openapi.document import read
from iflow_cli_proxy.server.openapi.failures import SHAPES, Failures, Shelf

MEANINGS: Final = read("failures")


def responses(protocol: str, group: str = "", *, is_open: bool = False, has_body: bool = False) -> dict[str, Any]:
    shelf = Shelf()
    told = Failures(MEANINGS, shelf).responses(protocol, group, is_open=is_open, has_body=has_body)
    return {status: shelf.found[one["$ref"].rpartition("/")[2]] for status, one in told.items()}


def test_every_kind_of_failure_has_a_meaning() -> None:
    assert {cls.kind for cls in every_error()} == set(MEANINGS)


def test_every_codec_has_an_error_shape() -> None:
    assert set(SHAPES) == set(CODECS)


@pytest.mark.parametrize(
    ("group", "has_body", "statuses"),
    [
        ("", False, {"400", "401", "403", "429", "500", "4XX"}),
        ("model", False, {"400", "401", "403", "404", "429", "500", "4XX"}),
        ("", True, {"400", "401", "403", "408", "413", "415", "429", "500", "503", "4XX"}),
        ("prompt", True, {"400", "401", "403", "404", "408", "413", "415", "429", "500", "502", "503", "504", "4XX"}),
    ],
)
def test_a_group_has_its_statuses(group: str, has_body: bool, statuses: set[str]) -> None:
    assert set(responses("openai_chat", group, has_body=has_body)) == statuses


def test_statuses_are_the_protocols_own() -> None:
    assert "529" in responses("anthropic", "prompt", has_body=True)
    assert "529" not in responses("gemini", "prompt", has_body=True)


def test_what_is_open_asks_for_no_key() -> None:
    assert set(responses("openai_chat", is_open=True)) == {"400", "500", "4XX"}


def test_an_example_of_each_kind_is_in_the_codecs_words() -> None:
    told = responses("gemini", "prompt", has_body=True)["429"]["content"]["application/json"]["examples"]
    assert told["rate_limited"]["value"]["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert "retry-after" in responses("gemini", "prompt", has_body=True)["429"]["headers"]


def test_two_responses_of_one_name_get_numbers_and_the_same_one_only_one() -> None:
    shelf = Shelf()
    assert [shelf.put("A", 1), shelf.put("A", 2), shelf.put("A", 1)] == [
        {"$ref": "#/components/responses/A"},
        {"$ref": "#/components/responses/A_2"},
        {"$ref": "#/components/responses/A"},
    ]
