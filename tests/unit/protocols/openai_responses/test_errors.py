import pytest

from iflow_cli_proxy.core.errors import RateLimited, every_error, of_kind
from iflow_cli_proxy.protocols.openai_errors import TABLE
from iflow_cli_proxy.protocols.openai_responses.errors import decode_error, plain_error, response_error

KINDS = sorted({cls.kind for cls in every_error()})


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_a_code_and_is_read_back_by_it(kind: str) -> None:
    error = response_error(of_kind(kind, "Something."))
    read = decode_error({"type": "response.failed", "response": {"status": "failed", "error": error}})

    assert error.keys() == {"code", "message"}
    assert error["code"]
    assert read is not None
    assert (read.kind, read.message) == (kind if TABLE[kind].code else "upstream_rejected", "Something.")


def test_the_upstreams_own_code_is_not_what_clients_act_on() -> None:
    assert response_error(RateLimited("No.", code="1302"))["code"] == "rate_limit_exceeded"


def test_how_long_to_wait_stands_where_codex_looks_for_it() -> None:
    assert response_error(RateLimited("Slow down.", retry_after_s=6.2))["message"] == (
        "Slow down. Please try again in 7s."
    )
    assert response_error(RateLimited("Slow down."))["message"] == "Slow down."


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "rate_limit_exceeded", "message": "No."}},
        {"type": "error", "code": "rate_limit_exceeded", "message": "No.", "param": None, "sequence_number": 3},
        {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "No."}},
        {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "No."}}},
        {"object": "response", "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "No."}},
    ],
)
def test_an_error_is_read_wherever_it_stands(body: object) -> None:
    read = decode_error(body)

    assert read is not None
    assert (read.kind, read.message) == ("rate_limited", "No.")


@pytest.mark.parametrize("body", [None, [], "x", {}, {"response": {"error": None}}, {"response": 5}])
def test_what_is_no_error_is_none(body: object) -> None:
    assert decode_error(body) is None
    assert plain_error(body) == body
