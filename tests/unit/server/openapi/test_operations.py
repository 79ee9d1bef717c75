from __future__ import annotations

from typing import Any, Final

import pytest

from iflow_cli_proxy.server.openapi.document import read
from iflow_cli_proxy.server.openapi.failures import Failures, Shelf
from iflow_cli_proxy.server.openapi.operations import Writer

ENTRY: Final = {
    "id": "ask",
    "also": ["/ask"],
    "summary": "Ask",
    "body": "Question",
    "answer": "Answer",
    "stream": {"type": "text/event-stream", "event": "Event", "end": "[DONE]"},
    "fails": "prompt",
    "examples": {
        "hi": {"summary": "A greeting", "body": {"q": "hi"}},
        "wrong": {"body": {}, "status": 400},
    },
}
RECORDED: Final = {
    "ask.hi": {"type": "application/json", "body": {"a": "hello"}},
    "ask.wrong": {"type": "application/json", "body": {"error": {}}},
}


def written(line: str = "POST /v1/ask", **changes: Any) -> list[tuple[str, str, Any]]:
    writer = Writer("Tag", "openai_chat", Failures(read("failures"), Shelf()), RECORDED)
    return list(writer.write(line, {**ENTRY, **changes}))


def test_an_entry_is_an_operation_and_one_for_each_other_path() -> None:
    (path, method, operation), (other, _, same) = written()

    assert (path, method, operation["operationId"]) == ("/v1/ask", "post", "ask")
    assert (other, same["operationId"], same["x-same-as"]) == ("/ask", "ask_1", "POST /v1/ask")
    assert "x-examples" not in same


def test_an_example_stands_at_the_request_and_at_its_own_status() -> None:
    operation = written()[0][2]

    asked = operation["requestBody"]["content"]["application/json"]["examples"]
    assert asked["hi"] == {"summary": "A greeting", "value": {"q": "hi"}}
    answered = operation["responses"]["200"]["content"]["application/json"]["examples"]
    assert answered == {"hi": {"value": {"a": "hello"}}}
    assert "wrong" in operation["responses"]["400"]["content"]["application/json"]["examples"]
    assert [one["status"] for one in operation["x-examples"]] == [200, 400]


def test_a_stream_says_what_an_event_holds_and_how_it_ends() -> None:
    media = written()[0][2]["responses"]["200"]["content"]["text/event-stream"]
    assert media == {
        "x-item-schema": {"$ref": "#/components/schemas/Event"},
        "x-end": "[DONE]",
    }


def test_answers_to_prompts_name_the_account() -> None:
    assert "x-iflow2api-account" in written()[0][2]["responses"]["200"]["headers"]
    assert "x-iflow2api-account" not in written(fails="")[0][2]["responses"]["200"]["headers"]


@pytest.mark.parametrize(
    ("access", "method", "ways"),
    [
        ("open", "GET", []),
        ("key", "GET", [{"bearer": []}, {"xApiKey": []}, {"xGoogApiKey": []}, {}]),
        ("session", "GET", [{"adminSession": []}]),
        ("session", "POST", [{"adminSession": [], "csrfToken": []}]),
    ],
)
def test_ways_in(access: str, method: str, ways: list[Any]) -> None:
    assert written(f"{method} /x", access=access, protocol="openai_chat", also=[])[0][2]["security"] == ways


def test_a_key_in_the_address_is_for_gemini_alone() -> None:
    assert {"keyInQuery": []} in written(protocol="gemini")[0][2]["security"]


def test_a_part_of_the_path_is_a_parameter_and_has_to_be_told() -> None:
    params = {"id": {"in": "path", "schema": {"type": "string"}}}
    [(_, _, operation)] = written("GET /x/{id}", params=params, also=[])

    assert operation["parameters"] == [{"name": "id", "in": "path", "schema": {"type": "string"}, "required": True}]
    with pytest.raises(AssertionError):
        written("GET /x/{id}", also=[])


def test_a_body_may_be_left_out_where_it_says_so() -> None:
    assert written()[0][2]["requestBody"]["required"] is True
    assert written(body={"schema": {}, "optional": True})[0][2]["requestBody"]["required"] is False


def test_answers_by_media_type() -> None:
    operation = written("GET /x", answer={"text/css": {"type": "string"}}, also=[], stream=None, examples={})[0][2]
    assert operation["responses"]["200"]["content"] == {"text/css": {"schema": {"type": "string"}}}


def test_a_deletion_on_the_admin_page_is_called_json_with_nothing_in_it() -> None:
    bare = {"access": "session", "also": [], "stream": None, "examples": {}}
    entry = {name: value for name, value in ENTRY.items() if name != "body"} | bare
    writer = Writer("Tag", "openai_chat", Failures(read("failures"), Shelf()), {})
    [(_, _, operation)] = writer.write("DELETE /x", entry)

    assert operation["requestBody"]["required"] is False
    assert "415" in operation["responses"]
