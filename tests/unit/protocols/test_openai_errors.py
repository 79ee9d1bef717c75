import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, InvalidRequest, RateLimited, Rejected, every_error, of_kind
from iflow_cli_proxy.core.events import Failed
from iflow_cli_proxy.core.sse import Framer
from iflow_cli_proxy.core.stage import run
from iflow_cli_proxy.protocols.openai_errors import (
    TABLE,
    decode_error,
    encode_error,
    error_object,
    error_of_event,
    stream_error,
)

KINDS = sorted({cls.kind for cls in every_error()})


def test_the_table_is_total_and_has_no_row_too_many() -> None:
    assert sorted(TABLE) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_an_openai_error_object(kind: str) -> None:
    reply = encode_error(of_kind(kind, "Something."), "req_1")
    body = jsonx.decode(reply.body)

    assert 400 <= reply.status < 600
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert body["error"]["message"] == "Something."


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_read_back_as_its_own_kind_where_its_code_tells(kind: str) -> None:
    read = decode_error(error_object(of_kind(kind, "Something.", param="a.b")))

    assert read is not None
    assert read.kind == (kind if TABLE[kind].code else "upstream_rejected")
    assert (read.message, read.param) == ("Something.", "a.b")


def test_no_two_kinds_share_a_code() -> None:
    codes = [row.code for row in TABLE.values() if row.code]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_event_says_the_same_as_a_body_and_ends_nothing(kind: str) -> None:
    error = of_kind(kind, "Something.")
    (frame,) = run(Framer(), [stream_error(error)])

    assert jsonx.decode(frame.data) == error_object(error)
    assert error_of_event(Failed(kind=kind, message="Something.")) == error_object(error)


@pytest.mark.parametrize(
    ("hint", "message"),
    [("", "No."), ("iflow2api login", "No. Hint: iflow2api login."), ("try it.", "No. Hint: try it.")],
)
def test_a_hint_follows_the_message_and_ends_in_one_full_stop(hint: str, message: str) -> None:
    assert error_object(GatewayError("No.", hint=hint))["error"]["message"] == message


def test_detail_is_never_shown() -> None:
    error = InvalidRequest("No.", detail="sk-secret", param="messages[0].role")

    assert b"secret" not in encode_error(error, "req_1").body
    assert error_object(error)["error"]["param"] == "messages[0].role"


@pytest.mark.parametrize(
    ("wait_s", "header"), [(None, None), (0, "1"), (0.2, "1"), (7, "7"), (7.01, "8"), (1e12, "86400"), (-5, "1")]
)
def test_retry_after_is_whole_seconds_and_at_least_one(wait_s: float | None, header: str | None) -> None:
    reply = encode_error(RateLimited("Slow down.", retry_after_s=wait_s), "req_1")

    assert reply.headers.get("retry-after") == header


@pytest.mark.parametrize(("given", "sent"), [(None, 400), (404, 404), (422, 422), (500, 400), (200, 400)])
def test_f36_a_rejection_keeps_the_upstreams_own_4xx(given: int | None, sent: int) -> None:
    assert encode_error(Rejected("No.", status=given), "req_1").status == sent


def test_other_kinds_have_the_status_of_the_table_whatever_the_upstream_said() -> None:
    assert encode_error(GatewayError("No.", status=404), "req_1").status == 500


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "m", "type": "server_error", "code": None}, "upstream_failing"),
        ({"message": "m", "type": "rate_limit_error"}, "rate_limited"),
        ({"message": "m", "type": "insufficient_quota", "code": "insufficient_quota"}, "quota_exhausted"),
        ({"message": "m", "type": "authentication_error", "code": "other"}, "unauthenticated"),
        ({"message": "m", "type": "invalid_request_error", "code": "context_length_exceeded"}, "context_overflow"),
        ({"message": "m", "type": "invalid_request_error", "code": "nobody_knows"}, "upstream_rejected"),
        ({"message": "m", "code": 500}, "upstream_rejected"),
        ({"message": ["not", "text"], "type": ["x"], "code": {"a": 1}, "param": 5}, "upstream_rejected"),
        ("plain words", "upstream_rejected"),
    ],
)
def test_foreign_error_objects_are_read_by_code_then_by_type(error: object, kind: str) -> None:
    read = decode_error({"error": error})

    assert read is not None
    assert read.kind == kind
    assert isinstance(read.message, str)
    assert read.message
    assert read.param is None


@pytest.mark.parametrize(
    "body", [None, [], "error", 5, {}, {"error": None}, {"error": ""}, {"error": {}}, {"error": 5}]
)
def test_what_is_no_error_object_is_none(body: object) -> None:
    assert decode_error(body) is None
