from __future__ import annotations

from typing import Final

import pytest

from iflow_cli_proxy.server.openapi.admin_failures import AdminFailures
from iflow_cli_proxy.server.openapi.document import read
from iflow_cli_proxy.server.openapi.failures import Failures, Shelf

ALWAYS: Final = {"400", "403", "404", "421", "500", "4XX"}


def failures(shelf: Shelf) -> AdminFailures:
    return AdminFailures(read("admin_failures"), Failures(read("failures"), shelf), shelf)


@pytest.mark.parametrize(
    ("group", "is_open", "has_body", "more"),
    [
        ("", True, False, set()),
        ("", False, False, {"401"}),
        ("", False, True, {"401", "408", "413", "415"}),
        ("409 429", True, False, {"409", "429"}),
        ("prompt", False, True, {"401", "408", "413", "415", "429", "502", "503", "504"}),
    ],
)
def test_a_call_has_the_statuses_of_what_it_shows(group: str, is_open: bool, has_body: bool, more: set[str]) -> None:
    found = failures(Shelf()).responses("admin", group, is_open=is_open, has_body=has_body)
    assert set(found) == ALWAYS | more


def test_an_error_is_shown_in_the_shape_of_the_page() -> None:
    shelf = Shelf()
    failures(shelf).responses("admin", "", is_open=True, has_body=False)
    shown = shelf.found["Admin_421"]["content"]["application/json"]["examples"]["misdirected"]["value"]

    assert set(shown["error"]) == {"kind", "message", "hint", "param"}
    assert shown["error"]["kind"] == "misdirected"


def test_a_prompt_is_refused_by_the_page_or_as_a_client_is() -> None:
    shelf = Shelf()
    found = failures(shelf).responses("admin", "prompt", is_open=False, has_body=True)
    told = shelf.get(found["400"])["content"]["application/json"]

    assert [one["$ref"].rpartition("/")[2] for one in told["schema"]["anyOf"]] == ["AdminError", "OpenAIError"]
    assert "context_overflow" in told["examples"]
