from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import Busy, ClientTooSlow, GatewayError, TooLarge, every_error
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.server.keys import EXCHANGE
from iflow_cli_proxy.server.middleware.errors import answer_errors, error_response, is_client_gone


def a_request() -> web.Request:
    request = make_mocked_request("POST", "/v1/chat/completions")
    request[EXCHANGE] = Exchange(request_id="req_7", protocol="openai_chat", started_at=0.0)
    assert request.transport is not None
    request.transport.is_closing.return_value = False  # type: ignore[attr-defined]
    return request


async def answer_to(
    error: BaseException, request: web.Request | None = None
) -> tuple[int, dict[str, Any], web.Response]:
    async def handler(_: web.Request) -> web.StreamResponse:
        raise error

    response = await answer_errors(request or a_request(), handler)
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return response.status, jsonx.decode(response.body)["error"], response


def made(cls: type[GatewayError]) -> GatewayError:
    error = cls.__new__(cls)
    GatewayError.__init__(error, "It went wrong.", detail="at 10.0.0.7")
    return error


@pytest.mark.parametrize("cls", list(every_error()), ids=lambda cls: cls.__name__)
async def test_every_error_of_the_tree_becomes_an_answer_without_its_detail(cls: type[GatewayError]) -> None:
    request = a_request()
    status, error, response = await answer_to(made(cls), request)

    assert 400 <= status < 600
    assert error["message"].startswith("It went wrong.")
    assert b"10.0.0.7" not in response.body  # type: ignore[operator]
    assert request[EXCHANGE].error_kind == cls.kind


async def test_a_bug_of_ours_is_a_request_id_to_the_client_and_a_traceback_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    status, error, _ = await answer_to(ZeroDivisionError("secret words"))

    assert (status, error["code"]) == (500, "internal_error")
    assert "req_7" in error["message"]
    assert "secret" not in error["message"]
    assert "ZeroDivisionError: secret words" in caplog.text


async def test_a_wrong_method_is_told_the_right_ones_in_words_and_in_a_header() -> None:
    status, error, response = await answer_to(web.HTTPMethodNotAllowed("PUT", ["POST", "GET"]))

    assert status == 405
    assert "GET, POST" in error["message"]
    assert set(response.headers["Allow"].split(",")) == {"GET", "POST"}


@pytest.mark.parametrize(
    ("error", "status"), [(web.HTTPNotFound(), 404), (web.HTTPRequestURITooLong(), 400), (web.HTTPFound("/x"), 400)]
)
async def test_what_aiohttp_refuses_speaks_our_words(error: web.HTTPException, status: int) -> None:
    found, _, response = await answer_to(error)

    assert found == status
    assert "Location" not in response.headers


async def test_detail_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "iflow2api.errors"):
        await answer_to(Busy("Too many.", detail="queue at 100"))

    assert "Too many. (queue at 100)" in caplog.text


@pytest.mark.parametrize(("cls", "closes"), [(TooLarge, True), (ClientTooSlow, True), (Busy, False)])
async def test_a_connection_ends_when_a_body_may_still_be_coming(cls: type[GatewayError], closes: bool) -> None:
    assert (error_response(a_request(), made(cls)).keep_alive is False) is closes


async def test_nobody_is_told_when_nobody_is_left(caplog: pytest.LogCaptureFixture) -> None:
    request = a_request()
    request.transport.is_closing.return_value = True  # type: ignore[union-attr]

    with pytest.raises(ConnectionResetError):
        await answer_to(ConnectionResetError("gone"), request)

    assert is_client_gone(request, ConnectionResetError())
    assert caplog.text == ""


async def test_a_broken_connection_elsewhere_is_our_bug() -> None:
    assert (await answer_to(BrokenPipeError("some file")))[0] == 500


async def test_a_cancelled_request_is_not_answered() -> None:
    with pytest.raises(asyncio.CancelledError):
        await answer_to(asyncio.CancelledError())
