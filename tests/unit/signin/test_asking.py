from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from iflow_cli_proxy.core.errors import ConnectionLost, CutOff, GatewayError, LoginRequired, Overloaded, Unreachable
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import Tokens
from iflow_cli_proxy.providers.signin import OAuthClient
from iflow_cli_proxy.signin.asking import new_tokens
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer, FakeReply, FakeTransport

CLIENT = OAuthClient(token_url="https://sign.in.example/token", client_id="us")
OLD = Tokens(access_token=Secret("at-old"), refresh_token=Secret("rt-old"), scope="read")
GOOD = FakeReply(b'{"access_token":"at-new","refresh_token":"rt-new","expires_in":600}')
BARE_401 = FakeReply(b"{}", status=401)
DEAD = FakeReply(b'{"error":"invalid_grant"}', status=400)


async def ask(*answers: Answer, client: OAuthClient = CLIENT) -> tuple[Tokens | GatewayError, FakeTransport]:
    transport = FakeTransport(*answers)
    try:
        return await new_tokens(client, transport, OLD, clock=FakeClock(), entropy=counting_entropy()), transport
    except GatewayError as error:
        return error, transport


def sent(transport: FakeTransport) -> list[str]:
    return [parse_qs(request.body.decode())["refresh_token"][0] for request in transport.requests]


async def test_a_refresh_token_brings_the_next_tokens() -> None:
    tokens, transport = await ask(GOOD)

    assert isinstance(tokens, Tokens)
    assert (tokens.access_token.reveal(), tokens.refresh_token.reveal()) == ("at-new", "rt-new")
    assert tokens.expires_at == FakeClock().now() + 600
    assert sent(transport) == ["rt-old"]


async def test_i56_an_answer_without_a_refresh_token_keeps_the_old_one() -> None:
    tokens, _ = await ask(FakeReply(b'{"access_token":"at-new"}'))

    assert isinstance(tokens, Tokens)
    assert tokens.refresh_token == OLD.refresh_token


@pytest.mark.parametrize("lost", [ConnectionLost("gone"), FakeReply(b"{", CutOff("cut"))])
async def test_f49_a_lost_answer_is_asked_for_once_more_at_once(lost: Answer) -> None:
    tokens, transport = await ask(lost, GOOD)
    assert isinstance(tokens, Tokens)
    assert sent(transport) == ["rt-old", "rt-old"]

    error, transport = await ask(lost)
    assert isinstance(error, ConnectionLost | CutOff)
    assert len(transport.requests) == 2

    error, _ = await ask(lost, DEAD)  # the server has no such window
    assert isinstance(error, LoginRequired)


async def test_a_bare_401_is_asked_once_more_and_a_plain_word_is_believed() -> None:
    tokens, _ = await ask(BARE_401, GOOD)
    assert isinstance(tokens, Tokens)

    error, transport = await ask(BARE_401)
    assert isinstance(error, LoginRequired)
    assert len(transport.requests) == 2

    error, transport = await ask(DEAD)
    assert isinstance(error, LoginRequired)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("answer", [Unreachable("no"), FakeReply(b"{}", status=503), FakeReply(b"<html>")])
async def test_other_failures_are_not_asked_again_at_once(answer: Answer) -> None:
    error, transport = await ask(answer)

    assert isinstance(error, GatewayError)
    assert not isinstance(error, LoginRequired)
    assert len(transport.requests) == 1


async def test_a_success_false_inside_a_200_is_an_overload() -> None:
    body = '{"success":false,"code":"500","message":"当前找我聊的人太多了","data":null}'.encode()

    error, _ = await ask(FakeReply(body))

    assert isinstance(error, Overloaded)


async def test_each_call_has_a_name_of_its_own_where_the_server_wants_one() -> None:
    _, transport = await ask(ConnectionLost("gone"), GOOD, client=replace(CLIENT, names_requests=True))

    names = [request.headers["x-request-id"] for request in transport.requests]
    assert len(set(names)) == 2
