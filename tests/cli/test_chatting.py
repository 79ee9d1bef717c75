"""Talking to a gateway: what is sent, and how refusals and broken answers come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.cli.chatting import Question, ask_gateway
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, Unreachable
from tests.support.raw_upstream import RawUpstream, answer

CHUNK = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
END = b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def session(tmp_path: Path, **environ: str) -> Session:
    return Session({"IFLOW2API_HOME": str(tmp_path), **environ})


async def test_the_question_is_sent_as_any_client_would_with_the_configured_key(tmp_path: Path) -> None:
    async with RawUpstream([answer(CHUNK + END, headers={"Content-Type": "text/event-stream"})]) as gateway:
        asked = Question(prompt="hello", model="m", system="be brief")
        got = await ask_gateway(
            session(tmp_path, IFLOW2API_CLIENT_KEY="sk-mine-0123456789"), gateway.url, asked, is_quiet=True
        )
    (request,) = gateway.requests
    body = jsonx.decode(request.body)
    assert body["messages"] == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
    assert body["stream"] is True
    assert dict(request.headers)["authorization"] == "Bearer sk-mine-0123456789"
    assert got["text"] == "hi"


async def test_a_refusal_is_told_in_the_gateways_words(tmp_path: Path) -> None:
    refusal = b'{"error":{"message":"No such model.","type":"invalid_request_error","code":"model_not_found"}}'
    async with RawUpstream([answer(refusal, status=404)]) as gateway:
        with pytest.raises(GatewayError, match="No such model"):
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x", model="m"), is_quiet=True)


async def test_an_answer_that_breaks_off_is_an_error_not_a_short_answer(tmp_path: Path) -> None:
    async with RawUpstream([answer(CHUNK, headers={"Content-Type": "text/event-stream"})]) as gateway:
        with pytest.raises(GatewayError, match="cut off"):
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x", model="m"), is_quiet=True)


async def test_a_gateway_without_models_says_how_to_name_one(tmp_path: Path) -> None:
    async with RawUpstream([answer(b'{"object":"list","data":[]}')]) as gateway:
        with pytest.raises(ConfigError) as raised:
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x"), is_quiet=True)
    assert "-m" in raised.value.hint


async def test_nobody_there_names_the_command_that_helps(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as raised:
        await ask_gateway(session(tmp_path), "http://127.0.0.1:1", Question(prompt="x", model="m"), is_quiet=True)
    assert "iflow2api serve" in raised.value.hint
