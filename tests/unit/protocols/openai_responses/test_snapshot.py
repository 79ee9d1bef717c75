from iflow_cli_proxy.core.usage import Usage
from iflow_cli_proxy.protocols.base import EncodeOptions
from iflow_cli_proxy.protocols.openai_responses.ending import Ending
from iflow_cli_proxy.protocols.openai_responses.snapshot import Head, extras_of, head_of, snapshot

HEAD = Head("resp_1", 7, "m")


def test_what_was_asked_is_repeated_and_the_rest_is_said_to_be_as_usual() -> None:
    asked = {
        "model": "other", "input": "secret", "stream": True, "temperature": 0.2, "tools": [{"type": "x"}], "user": None,
        "truncation": None,
        "store": False, "reasoning": {"effort": "low"}, "text": {"verbosity": "low"}, "metadata": {"a": "b"},
        "instructions": "Be brief.", "previous_response_id": "resp_0",
    }  # fmt: skip
    response = snapshot(HEAD, asked)

    assert {name: response[name] for name in ("temperature", "tools", "store", "metadata", "instructions")} == {
        name: asked[name] for name in ("temperature", "tools", "store", "metadata", "instructions")
    }
    assert response["previous_response_id"] == "resp_0"
    assert response["reasoning"] == {"effort": "low", "summary": None}
    assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert (response["top_p"], response["tool_choice"], response["user"]) == (1.0, "auto", None)
    assert response["truncation"] == "disabled"
    assert (response["model"], response["status"]) == ("m", "in_progress")
    assert "input" not in response


def test_an_end_has_its_details_its_output_and_its_usage() -> None:
    response = snapshot(HEAD, {}, Ending("incomplete", {"reason": "x"}), output=[1], usage=Usage(prompt=1))

    assert (response["status"], response["incomplete_details"], response["output"]) == (
        "incomplete",
        {"reason": "x"},
        [1],
    )
    assert response["usage"]["input_tokens"] == 1


def test_a_request_that_is_not_what_it_should_be_does_no_harm() -> None:
    response = snapshot(HEAD, {"reasoning": 5, "text": []})

    assert response["text"] == {"format": {"type": "text"}}


def test_options_stand_in_for_what_the_upstream_did_not_say() -> None:
    options = EncodeOptions(id="chatcmpl-9", created=5, model="asked")

    assert head_of("", 0, "", options) == Head("resp_9", 5, "asked")
    assert head_of("resp_1", 6, "real", options) == Head("resp_9", 6, "real")


def test_extras_are_neither_ours_nor_the_requests() -> None:
    assert extras_of(snapshot(HEAD, {}) | {"x_field": 1, "odd": None}) == {"x_field": 1}
