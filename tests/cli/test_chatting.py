"""Talking to a gateway: what is sent, and how refusals and broken answers come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from iflow_cli_proxy.cli.chatting import Question, ask_gateway
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConfigError, ConnectionLost, CutOff, GatewayError, Malformed, Unreachable
from tests.support.raw_upstream import RawUpstream, answer, chunk, close, reset, stream_head

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


async def test_the_key_of_the_environment_counts_more_than_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[auth]\nclient_keys = ["sk-of-the-file-0123456789"]\n')
    environ = {"IFLOW2API_CLIENT_KEY": "sk-first-0123456789,sk-second-0123456789"}
    async with RawUpstream([answer(CHUNK + END, headers={"Content-Type": "text/event-stream"})]) as gateway:
        await ask_gateway(session(tmp_path, **environ), gateway.url, Question(prompt="x", model="m"), is_quiet=True)
    assert gateway.requests[0].header("authorization") == "Bearer sk-first-0123456789"


@pytest.mark.parametrize("url", ["127.0.0.1:46103", "localhost", "ftp://127.0.0.1"])
async def test_an_address_without_http_is_wrong_usage_and_is_not_called(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError) as raised:
        await ask_gateway(session(tmp_path), url, Question(prompt="x", model="m"), is_quiet=True)
    assert raised.value.param == "--url"
    assert "http://" in raised.value.message


async def test_a_refusal_is_told_in_the_gateways_words(tmp_path: Path) -> None:
    refusal = b'{"error":{"message":"No such model.","type":"invalid_request_error","code":"model_not_found"}}'
    async with RawUpstream([answer(refusal, status=404)]) as gateway:
        with pytest.raises(GatewayError, match="No such model"):
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x", model="m"), is_quiet=True)


async def test_an_answer_that_breaks_off_is_an_error_not_a_short_answer(tmp_path: Path) -> None:
    async with RawUpstream([answer(CHUNK, headers={"Content-Type": "text/event-stream"})]) as gateway:
        with pytest.raises(GatewayError, match="cut off"):
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x", model="m"), is_quiet=True)


async def test_a_connection_that_ends_within_the_answer_is_told_as_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with RawUpstream([stream_head(), chunk(CHUNK), reset]) as gateway:
        with pytest.raises(CutOff, match="broke off"):
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x", model="m"), is_quiet=False)
    assert capsys.readouterr().out == "hi\n", "the error begins at the left edge"


async def test_a_connection_that_ends_before_the_answer_is_not_taken_for_no_gateway(tmp_path: Path) -> None:
    async with RawUpstream([close]) as gateway:
        with pytest.raises(ConnectionLost, match="before there was an answer"):
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x", model="m"), is_quiet=True)


async def test_i44_an_answer_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = '{"id":"c","choices":[{"index":0,"delta":{"content":"a\\u001b[31m\\r\\n\\tb \\u3000 :bug: [bold]"}}]}'
    thought = '{"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"\\u001b]0;title\\u0007 :bug:"}}]}'
    body = f"data: {thought}\n\ndata: {evil}\n\n".encode() + END
    async with RawUpstream([answer(body, headers={"Content-Type": "text/event-stream"})]) as gateway:
        got = await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x", model="m"), is_quiet=False)
    assert capsys.readouterr().out == "\ufffd]0;title\ufffd :bug:\n\na\ufffd[31m\n\tb \u3000 :bug: [bold]\n"
    assert got["text"] == "a\x1b[31m\r\n\tb \u3000 :bug: [bold]", "--json hands out what came"


async def test_what_speaks_no_json_is_no_gateway(tmp_path: Path) -> None:
    async with RawUpstream([answer(b"<html>hello</html>")]) as gateway:
        with pytest.raises(Malformed, match="not JSON") as raised:
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x"), is_quiet=True)
    assert "--url" in raised.value.hint


async def test_what_speaks_no_http_is_no_gateway(tmp_path: Path) -> None:
    async with RawUpstream([b"220 mail.example.com ESMTP\r\n", close]) as gateway:
        with pytest.raises(Malformed, match="did not answer as a gateway"):
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x"), is_quiet=True)


async def test_a_missing_client_key_is_told_in_the_gateways_words_with_the_way_out(tmp_path: Path) -> None:
    refusal = b'{"error":{"message":"A valid client key is required.","type":"x","code":"invalid_api_key"}}'
    async with RawUpstream([answer(refusal, status=401)]) as gateway:
        with pytest.raises(GatewayError, match="A valid client key is required") as raised:
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x"), is_quiet=True)
    assert "IFLOW2API_CLIENT_KEY" in raised.value.hint


@pytest.mark.parametrize("rows", [b"[]", b"{}", b'"x"', b"[1]", b'[{"id":7}]'])
async def test_a_gateway_without_models_says_how_to_name_one(tmp_path: Path, rows: bytes) -> None:
    async with RawUpstream([answer(b'{"object":"list","data":%b}' % rows)]) as gateway:
        with pytest.raises(ConfigError) as raised:
            await ask_gateway(session(tmp_path), gateway.url, Question(prompt="x"), is_quiet=True)
    assert "-m" in raised.value.hint


async def test_nobody_there_names_the_command_that_helps(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as raised:
        await ask_gateway(session(tmp_path), "http://127.0.0.1:1", Question(prompt="x", model="m"), is_quiet=True)
    assert "iflow2api serve" in raised.value.hint
