from __future__ import annotations

import pytest

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.errors import ConnectionLost, GatewayError, LoginRequired, Malformed, Overloaded, TlsFailed
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AuthType, Tokens
from iflow_cli_proxy.providers.signin import OAuthAnswer, Profile, SignIn
from iflow_cli_proxy.signin.signed_in import complete
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.fake_transport import Answer, FakeReply, FakeTransport

TOKENS = Tokens(
    access_token=Secret("at-0123456789"), refresh_token=Secret("rt-0123456789"), base_url="https://a.example"
)
KEY = FakeReply(b'{"key":"sk-0123456789"}')
BUSY = FakeReply(b"{}", status=503)
HTML = FakeReply(b"<html>")


class FakeProfiles:
    def request(self, tokens: Tokens) -> UpstreamRequest:
        return UpstreamRequest(url=f"https://id.example/me?t={tokens.access_token.reveal()}", headers={}, method="GET")

    def read(self, answer: OAuthAnswer) -> Profile:
        if answer.status == 401:
            raise LoginRequired("no")
        if answer.status == 503:
            raise Overloaded("busy")
        try:
            key = jsonx.decode(answer.body)["key"]
        except jsonx.JsonError as error:
            raise Malformed("not JSON") from error
        return Profile(api_key=Secret(key), label="Me", user_id="7")


class Slept(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


SIGN_IN = SignIn(provider="iflow", profiles=FakeProfiles())


async def test_without_a_profile_the_access_token_is_what_counts() -> None:
    transport = FakeTransport(KEY)
    done = await complete(SignIn(provider="p"), transport, TOKENS)
    assert (done.auth_type, done.tokens, done.base_url) == (AuthType.OAUTH, TOKENS, "https://a.example")
    assert (done.api_key, done.label, done.problem) == (Secret(), "", None)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("answers", "pauses"), [([KEY], []), ([BUSY, KEY], [1.0]), ([ConnectionLost("x"), HTML, KEY], [1.0, 2.0])]
)
async def test_the_profile_is_asked_for_three_times(answers: list[Answer], pauses: list[float]) -> None:
    slept = Slept()
    done = await complete(SIGN_IN, FakeTransport(*answers), TOKENS, sleep=slept)
    assert (done.api_key.reveal(), done.label, done.user_id, done.problem) == ("sk-0123456789", "Me", "7", None)
    assert slept == pauses


@pytest.mark.parametrize(
    ("answer", "kind", "calls"), [(BUSY, Overloaded, 3), (HTML, Malformed, 3), (TlsFailed("bad"), TlsFailed, 1)]
)
async def test_tokens_are_not_lost_when_the_profile_never_comes(
    answer: Answer, kind: type[GatewayError], calls: int
) -> None:
    transport = FakeTransport(answer)
    done = await complete(SIGN_IN, transport, TOKENS, sleep=Slept())
    assert done.tokens == TOKENS
    assert not done.api_key
    assert isinstance(done.problem, kind)
    assert len(transport.requests) == calls
    assert all(reply.is_closed for reply in transport.replies)


async def test_a_provider_that_does_not_take_its_own_token_ends_the_sign_in() -> None:
    transport = FakeTransport(FakeReply(b"{}", status=401))
    with pytest.raises(LoginRequired):
        await complete(SIGN_IN, transport, TOKENS, sleep=Slept())
    assert len(transport.requests) == 1


async def test_i45_nothing_secret_is_in_the_representation() -> None:
    done = await complete(SIGN_IN, FakeTransport(KEY), TOKENS)
    for secret in ("sk-0123456789", "at-0123456789", "rt-0123456789"):
        assert secret not in repr(done)
