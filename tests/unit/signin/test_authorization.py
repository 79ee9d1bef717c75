from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from iflow_cli_proxy.core.errors import ConfigError, ConnectionLost, LoginRequired, Malformed, Unreachable
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers import pkce
from iflow_cli_proxy.providers.signin import OAuthClient, SignIn
from iflow_cli_proxy.signin.authorization import CodeFlow
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer, FakeReply, FakeTransport

CLIENT = OAuthClient(
    provider="desk",
    token_url="https://id.example/token",
    client_id="us",
    authorize_url="https://id.example/authorize",
    scope="openid",
)
SIGN_IN = SignIn(provider="desk", client=CLIENT)
REDIRECT = "http://127.0.0.1:4711/oauth2callback"
TOKENS = FakeReply(b'{"access_token":"at-0123456789","refresh_token":"rt-0123456789","expires_in":3600}')
REFUSED = FakeReply(b'{"error":"invalid_grant"}', status=400)


async def no_sleep(seconds: float) -> None:
    pass


def flow(*answers: Answer, sign_in: SignIn = SIGN_IN) -> tuple[CodeFlow, FakeTransport]:
    transport = FakeTransport(*(answers or (TOKENS,)))
    made = CodeFlow(sign_in, transport, clock=FakeClock(), entropy=counting_entropy(), sleep=no_sleep)
    return made, transport


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


async def test_the_code_becomes_tokens() -> None:
    made, transport = flow()

    done = await made.finish("canary code", REDIRECT)

    assert done.tokens is not None
    assert done.tokens.refresh_token == Secret("rt-0123456789")
    assert done.tokens.expires_at == FakeClock().now() + 3600
    [request] = transport.requests
    assert request.url == CLIENT.token_url
    form = asked(f"?{request.body.decode()}")
    assert (form["code"], form["redirect_uri"]) == ("canary code", REDIRECT)


async def test_i52_the_verifier_of_the_challenge_goes_with_the_code() -> None:
    made, transport = flow()
    question = asked(made.url(REDIRECT))
    await made.finish("c", REDIRECT)
    form = asked(f"?{transport.requests[0].body.decode()}")
    assert question["code_challenge_method"] == "S256"
    assert question["code_challenge"] == pkce.challenge(form["code_verifier"])
    assert question["state"] == made.state


async def test_a_server_that_knows_no_pkce_gets_none() -> None:
    made, transport = flow(sign_in=replace(SIGN_IN, client=replace(CLIENT, uses_pkce=False)))
    assert "code_challenge" not in asked(made.url(REDIRECT))
    await made.finish("c", REDIRECT)
    assert b"code_verifier" not in transport.requests[0].body


def test_i49_every_flow_has_a_state_of_its_own() -> None:
    entropy = counting_entropy()
    flows = [CodeFlow(SIGN_IN, FakeTransport(TOKENS), clock=FakeClock(), entropy=entropy) for _ in range(5)]
    states = {each.state for each in flows}
    assert len(states) == 5
    assert {len(state) for state in states} == {64}


@pytest.mark.parametrize("first", [TOKENS, REFUSED, ConnectionLost("gone")])
async def test_i50_a_code_is_redeemed_once_whatever_became_of_it(first: Answer) -> None:
    made, transport = flow(first)
    try:
        await made.finish("c", REDIRECT)
    except (LoginRequired, ConnectionLost):
        assert first is not TOKENS
    with pytest.raises(LoginRequired, match="already"):
        await made.finish("c", REDIRECT)
    assert len(transport.requests) == 1


async def test_a_server_that_was_not_reached_is_tried_again() -> None:
    made, transport = flow(Unreachable("x"), Unreachable("x"), TOKENS)
    assert (await made.finish("c", REDIRECT)).tokens
    assert len(transport.requests) == 3

    made, transport = flow(Unreachable("x"))
    with pytest.raises(Unreachable):
        await made.finish("c", REDIRECT)
    assert len(transport.requests) == 3


async def test_a_code_that_has_expired_is_told_with_the_way_out() -> None:
    made, _ = flow(REFUSED)
    with pytest.raises(LoginRequired) as caught:
        await made.finish("canary-code", REDIRECT)
    assert caught.value.code == "invalid_grant"
    assert "iflow2api login" in caught.value.hint
    assert "canary" not in f"{caught.value.message}{caught.value.detail}"


async def test_a_web_page_is_no_token() -> None:
    made, _ = flow(FakeReply(b"<html>"))
    with pytest.raises(Malformed):
        await made.finish("c", REDIRECT)


@pytest.mark.parametrize("client", [None, replace(CLIENT, authorize_url="")])
def test_a_provider_without_an_authorize_page_says_so(client: OAuthClient | None) -> None:
    with pytest.raises(ConfigError, match="desk has no page"):
        flow(sign_in=replace(SIGN_IN, client=client))
