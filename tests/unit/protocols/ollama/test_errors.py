import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import GatewayError, RateLimited, Rejected, every_error, of_kind
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.protocols.ollama.errors import STATUS, decode_error, encode_error, stream_error


def test_every_kind_has_a_status_and_one_text() -> None:
    for kind in {cls.kind for cls in every_error()}:
        reply = encode_error(of_kind(kind, "No."), "req_1")

        assert reply.status == STATUS[kind]
        assert reply.body == b'{"error":"No."}'


def test_the_wait_the_hint_and_an_upstreams_own_status_are_told() -> None:
    waiting = encode_error(RateLimited("No.", retry_after_s=6.5, hint="wait."), "r")

    assert (waiting.status, waiting.headers) == (429, {"retry-after": "7"})
    assert jsonx.decode(waiting.body) == {"error": "No. Hint: wait."}
    assert encode_error(Rejected("No.", status=422), "r").status == 422


def test_a_stream_ends_with_a_line_that_shows_no_detail() -> None:
    assert stream_error(GatewayError("No.", detail="secret")) == b'{"error":"No."}\n'


@pytest.mark.parametrize("body", [{"error": "m"}, {"error": {"message": "m"}}])
def test_an_error_is_understood(body: Json) -> None:
    error = decode_error(body)

    assert error is not None
    assert error.message == "m"


@pytest.mark.parametrize("body", [None, [], {}, {"error": ""}, {"error": {}}, {"message": {}}])
def test_what_is_no_error_is_none(body: Json) -> None:
    assert decode_error(body) is None
