import pytest

from iflow_cli_proxy.core import errors, jsonx
from iflow_cli_proxy.core.errors import GatewayError, RateLimited, every_error, of_kind
from iflow_cli_proxy.core.events import Failed
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.gemini.errors import (
    decode_error,
    encode_error,
    error_object,
    failure_error,
    stream_error,
)

KINDS = sorted({cls.kind for cls in every_error()})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_survives_with_its_status(kind: str) -> None:
    reply = encode_error(of_kind(kind, "No."), "req_1")
    again = decode_error(jsonx.decode(reply.body))

    assert again is not None
    assert (again.kind, again.message) == (kind, "No.")
    assert jsonx.decode(reply.body)["error"]["code"] == reply.status


def test_it_is_googles_shape_with_the_wait_in_it() -> None:
    reply = encode_error(RateLimited("Slow down.", retry_after_s=6.5, hint="wait."), "req_1")

    assert reply.status == 429
    assert reply.headers == {"retry-after": "7"}
    assert jsonx.decode(reply.body) == {
        "error": {
            "code": 429,
            "message": "Slow down. Hint: wait.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMITED", "domain": "iflow2api"},
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"},
            ],
        }
    }


def test_the_path_and_the_wait_come_back() -> None:
    again = decode_error(error_object(RateLimited("No.", param="contents[0]", retry_after_s=3)))

    assert again is not None
    assert (again.param, again.retry_after_s) == ("contents[0]", 3.0)


def test_an_upstreams_own_status_is_kept_where_it_blames_the_request() -> None:
    error = errors.Rejected("No.", status=422)

    assert encode_error(error, "r").status == 422
    assert error_object(error)["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m"}}, "rate_limited"),
        ({"error": {"code": 429, "message": "m"}}, "rate_limited"),
        ({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "m"}}, "upstream_rejected"),
        ({"error": {"code": 503, "status": "UNAVAILABLE", "message": "m"}}, "upstream_overloaded"),
        ([{"error": {"status": "INTERNAL", "message": "m"}}], "upstream_failing"),
        ({"error": "m"}, "upstream_rejected"),
        (
            {"error": {"code": 400, "message": "m", "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                                                                 "reason": "API_KEY_INVALID"}]}},
            "unauthenticated",
        ),
    ],
)  # fmt: skip
def test_googles_own_errors_are_understood(body: Json, kind: str) -> None:
    error = decode_error(body)

    assert error is not None
    assert (error.kind, error.message) == (kind, "m")


@pytest.mark.parametrize("body", [None, [], {}, {"error": {}}, {"error": None}, {"candidates": []}, "text"])
def test_what_is_no_error_is_none(body: Json) -> None:
    assert decode_error(body) is None


def test_details_of_any_shape_are_survived() -> None:
    details = [None, {"@type": 3}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": 7},
               {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [3]}]  # fmt: skip

    error = decode_error({"error": {"message": 3, "status": 4, "code": "x", "details": details}})

    assert error is not None
    assert (error.param, error.retry_after_s) == (None, None)


def test_a_stream_ends_with_the_same_object_bare_as_google_sends_it() -> None:
    """Gemini CLI sees an error only where nothing stands around it."""
    error = GatewayError("No.", detail="secret")

    assert jsonx.decode(stream_error(error)) == error_object(error)
    assert b"secret" not in stream_error(error)
    assert failure_error(Failed(kind="rate_limited", message="m")).kind == "rate_limited"
