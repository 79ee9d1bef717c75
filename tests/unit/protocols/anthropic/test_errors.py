import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import (
    ContextOverflow,
    Failing,
    GatewayError,
    InvalidRequest,
    RateLimited,
    Rejected,
    UpstreamError,
    every_error,
    of_kind,
)
from iflow_cli_proxy.core.events import Failed
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.anthropic.errors import (
    TABLE,
    decode_error,
    encode_error,
    error_object,
    failure_event,
    stream_error,
)

KINDS = sorted({cls.kind for cls in every_error()})
TYPES = {
    400: {"invalid_request_error"},
    401: {"authentication_error"},
    403: {"permission_error"},
    404: {"not_found_error"},
    413: {"request_too_large"},
    429: {"rate_limit_error"},
    500: {"api_error"},
    504: {"timeout_error"},
    529: {"overloaded_error"},
}
"""Anthropic API reference, "HTTP errors"."""


def test_the_table_is_total_and_has_no_row_too_many() -> None:
    assert sorted(TABLE) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_an_anthropic_error_object_of_the_type_its_status_promises(kind: str) -> None:
    reply = encode_error(of_kind(kind, "Something."), "req_1")
    body = jsonx.decode(reply.body)

    assert body.keys() == {"type", "error", "request_id"}
    assert body["error"].keys() == {"type", "message"}
    assert (body["type"], body["request_id"], reply.headers["request-id"]) == ("error", "req_1", "req_1")
    assert body["error"]["message"].endswith("Something.")
    assert body["error"]["type"] in TYPES.get(reply.status, {"invalid_request_error", "api_error"})


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_read_back_with_its_words(kind: str) -> None:
    read = decode_error(error_object(of_kind(kind, "Something.")))

    assert read is not None
    assert read.message == "Something."
    assert TABLE[read.kind].type == TABLE[kind].type


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("invalid_request_error", "upstream_rejected"),
        ("authentication_error", "unauthenticated"),
        ("permission_error", "forbidden"),
        ("not_found_error", "unknown_model"),
        ("request_too_large", "too_large"),
        ("rate_limit_error", "rate_limited"),
        ("billing_error", "quota_exhausted"),
        ("timeout_error", "upstream_timeout"),
        ("overloaded_error", "upstream_overloaded"),
        ("api_error", "upstream_failing"),
        ("nobody_knows", "upstream_error"),
        (["x"], "upstream_error"),
    ],
)
def test_every_documented_type_has_a_kind(type: object, kind: str) -> None:
    read = decode_error({"type": "error", "error": {"type": type, "message": "m"}})

    assert read is not None
    assert (read.kind, read.message) == (kind, "m")


def test_a_prompt_that_is_too_long_is_said_as_claude_code_knows_it() -> None:
    body = error_object(ContextOverflow("The prompt has 300000 tokens, the window 200000."))
    vendors = {"error": {"type": "invalid_request_error", "message": "prompt is too long: 300000 tokens > 200000"}}

    assert body["error"]["message"] == "prompt is too long: The prompt has 300000 tokens, the window 200000."
    read = decode_error(vendors)
    assert isinstance(read, ContextOverflow)
    assert error_object(read)["error"]["message"] == vendors["error"]["message"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_event_says_the_same_as_a_body(kind: str) -> None:
    error = of_kind(kind, "Something.")
    (frame,) = run(Framer(), [stream_error(error)])

    assert frame.event == "error"
    assert jsonx.decode(frame.data) == error_object(error)
    assert failure_event(Failed(kind=kind, message="Something.")) == stream_error(error)


def test_detail_is_never_shown_and_a_hint_follows_the_message() -> None:
    error = InvalidRequest("No.", detail="sk-secret", hint="iflow2api login")

    assert b"secret" not in encode_error(error, "req_1").body
    assert error_object(error)["error"]["message"] == "No. Hint: iflow2api login."


@pytest.mark.parametrize(
    ("wait_s", "header"), [(None, None), (0, "1"), (0.2, "1"), (7, "7"), (7.01, "8"), (1e12, "86400"), (-5, "1")]
)
def test_retry_after_is_whole_seconds_and_at_least_one(wait_s: float | None, header: str | None) -> None:
    assert encode_error(RateLimited("No.", retry_after_s=wait_s), "").headers.get("retry-after") == header


def test_a_client_is_told_not_to_repeat_what_may_have_been_done() -> None:
    assert encode_error(UpstreamError("No."), "").headers["x-should-retry"] == "false"
    assert "x-should-retry" not in encode_error(Failing("No."), "").headers


@pytest.mark.parametrize(("given", "sent"), [(None, 400), (404, 404), (422, 422), (500, 400)])
def test_f36_a_rejection_keeps_the_upstreams_own_4xx(given: int | None, sent: int) -> None:
    assert encode_error(Rejected("No.", status=given), "").status == sent


def test_other_kinds_have_the_status_of_the_table() -> None:
    assert encode_error(GatewayError("No.", status=404), "").status == 500


def test_plain_words_are_a_rejection() -> None:
    read = decode_error({"error": "plain words"})

    assert isinstance(read, Rejected)
    assert read.message == "plain words"


@pytest.mark.parametrize("body", [None, [], "error", {}, {"error": None}, {"error": ""}, {"error": {}}, {"error": 5}])
def test_what_is_no_error_object_is_none(body: object) -> None:
    assert decode_error(body) is None
