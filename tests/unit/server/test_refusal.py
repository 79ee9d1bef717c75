from __future__ import annotations

import pytest
from aiohttp import http_exceptions as wrong
from aiohttp import web

from iflow_cli_proxy.core.errors import Busy, GatewayError, InvalidRequest
from iflow_cli_proxy.server import refusal
from tests.support.raw_client import split

INK = b"sk-canary-4f2a"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (wrong.LineTooLong(INK, refusal.MAX_LINE_BYTES), 414),
        (wrong.LineTooLong(INK, refusal.MAX_FIELD_BYTES), 431),
        (wrong.BadHttpMessage("Too many headers received"), 431),
        (wrong.BadHttpMethod(INK.decode()), 400),
        (wrong.BadStatusLine(INK.decode()), 400),
        (wrong.InvalidHeader(INK), 400),
        (wrong.InvalidURLError(INK.decode()), 400),
        (wrong.TransferEncodingError(INK.decode()), 400),
        (web.RequestPayloadError(INK.decode()), 400),
        (ValueError(INK.decode()), 500),
        (None, 500),
    ],
)
def test_every_parser_error_has_a_status_and_none_repeats_what_was_sent(error: Exception | None, status: int) -> None:
    answer = refusal.response(refusal.of_parser(error), "req_1")

    assert answer.status == status
    assert isinstance(answer.body, bytes)
    assert INK not in answer.body


@pytest.mark.parametrize(
    "error", [InvalidRequest("No."), Busy("Full.", retry_after_s=0.2), refusal.headers_too_large()]
)
def test_the_raw_answer_says_what_the_response_says(error: GatewayError) -> None:
    response = refusal.response(error, "req_1")
    (raw,) = split(refusal.raw_response(error, "req_1"))

    assert raw.status == response.status
    assert raw.body == response.body
    headers = {name.lower(): value for name, value in response.headers.items()}
    assert raw.headers == headers | {"content-length": str(len(raw.body))}
    assert raw.headers["x-request-id"] == "req_1"
    assert raw.headers["connection"] == "close"
    assert not response.keep_alive
