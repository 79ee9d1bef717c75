from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from iflow_cli_proxy.core.errors import (
    ConfigError,
    ConnectionLost,
    GatewayError,
    LoginRequired,
    RateLimited,
    TlsFailed,
    Unreachable,
)
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.providers import pkce
from iflow_cli_proxy.providers.signin import DeviceGrant, OAuthClient, SignIn
from iflow_cli_proxy.signin.device import DeviceFlow, GivenUp
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer, FakeReply, FakeTransport
from tests.support.patience import until

CLIENT = OAuthClient(
    provider="qwen", token_url="https://id.example/token", client_id="us", device_url="https://id.example/device"
)
SIGN_IN = SignIn(provider="qwen", client=CLIENT)
GRANT = (
    b'{"device_code":"dc-0123","user_code":"ABCD-EFGH","verification_uri":"https://id.example/go",'
    b'"expires_in":900,"interval":5}'
)
DEVICE = FakeReply(GRANT)
TOKENS = FakeReply(b'{"access_token":"at-0123456789","refresh_token":"rt-0123456789","expires_in":3600}')
PENDING = FakeReply(b'{"error":"authorization_pending"}', status=400)
SLOW = FakeReply(b'{"error":"slow_down"}', status=400)
SLOW_429 = FakeReply(b'{"error":"slow_down"}', status=429)
TOO_MANY = FakeReply(b'{"error":"too_many_requests"}', status=429)
FAILING = FakeReply(b"oops", status=500)
HTML = FakeReply(b"<html>bad gateway</html>", status=504, headers={"content-type": "text/html"})
HTML_200 = FakeReply(b"<html>", headers={"content-type": "text/html"})


class Bench:
    """A flow whose sleeps move its clock."""

    def __init__(self, *answers: Answer, sign_in: SignIn = SIGN_IN) -> None:
        self.clock = FakeClock()
        self.transport = FakeTransport(*answers)
        self.slept: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self.flow = DeviceFlow(sign_in, self.transport, clock=self.clock, entropy=counting_entropy(), sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.on_sleep()
        self.clock.advance(seconds)

    async def run(self) -> object:
        return await self.flow.wait(await self.flow.begin())


async def refused(run: Awaitable[object]) -> LoginRequired:
    with pytest.raises(LoginRequired) as caught:
        await run
    return caught.value


async def test_a_confirmed_code_becomes_tokens() -> None:
    bench = Bench(DEVICE, PENDING, PENDING, TOKENS)

    grant = await bench.flow.begin()
    done = await bench.flow.wait(grant)

    assert (grant.user_code, grant.verification_uri) == ("ABCD-EFGH", "https://id.example/go")
    assert done.tokens is not None
    assert done.tokens.refresh_token == Secret("rt-0123456789")
    assert bench.slept == [5, 5, 5]
    assert [request.url for request in bench.transport.requests] == [CLIENT.device_url] + [CLIENT.token_url] * 3


async def test_the_verifier_of_the_challenge_goes_with_every_poll() -> None:
    bench = Bench(DEVICE, PENDING, TOKENS)
    await bench.run()
    asked, *polls = (request.body.decode() for request in bench.transport.requests)
    assert f"code_challenge={pkce.challenge(bench.flow.verifier)}" in asked
    assert bench.flow.verifier not in asked
    assert all(f"code_verifier={bench.flow.verifier}" in poll and "dc-0123" in poll for poll in polls)


async def test_a_server_that_wants_its_calls_named_gets_a_new_name_each_time() -> None:
    bench = Bench(DEVICE, PENDING, TOKENS, sign_in=replace(SIGN_IN, client=replace(CLIENT, names_requests=True)))
    await bench.run()
    names = [request.headers["x-request-id"] for request in bench.transport.requests]
    assert len(set(names)) == 3


@pytest.mark.parametrize("slow", [SLOW, SLOW_429])
async def test_i55_each_slow_down_adds_five_seconds_that_stay(slow: FakeReply) -> None:
    bench = Bench(DEVICE, slow, PENDING, slow, slow, PENDING, TOKENS)
    await bench.run()
    assert bench.slept == [5, 10, 10, 15, 20, 20]


async def test_i55_the_interval_never_grows_beyond_a_minute() -> None:
    bench = Bench(DEVICE, *[SLOW] * 18, TOKENS)
    await bench.run()
    assert max(bench.slept) == 60
    assert bench.slept[-3:] == [60, 60, 60]


@pytest.mark.parametrize(("interval", "first"), [("0", 2), ("1e9", 60), ('"x"', 5), ("null", 5), ("-3", 2)])
async def test_i55_an_interval_that_makes_no_sense_is_put_right(interval: str, first: float) -> None:
    bench = Bench(FakeReply(GRANT.replace(b'"interval":5', f'"interval":{interval}'.encode())), TOKENS)
    await bench.run()
    assert bench.slept == [first]


@pytest.mark.parametrize("passing", [FAILING, HTML, HTML_200, ConnectionLost("x"), Unreachable("x")])
async def test_i55_failures_that_pass_are_waited_out(passing: Answer) -> None:
    bench = Bench(DEVICE, *[passing] * 30, TOKENS)
    await bench.run()
    assert bench.slept == [5] * 31
    assert bench.flow.failure is None


@pytest.mark.parametrize("code", ["expired_token", "access_denied", "invalid_grant"])
async def test_i55_an_end_is_an_end_at_once(code: str) -> None:
    bench = Bench(DEVICE, PENDING, FakeReply(b'{"error":"%b"}' % code.encode(), status=400))
    error = await refused(bench.run())
    assert error.code == code
    assert len(bench.slept) == 2


async def test_i55_another_refusal_stops_it_too() -> None:
    bench = Bench(DEVICE, FakeReply(b'{"error":"invalid_client"}', status=401))
    await refused(bench.run())
    assert len(bench.slept) == 1


async def test_a_bad_certificate_is_not_waited_out() -> None:
    with pytest.raises(TlsFailed):
        await Bench(DEVICE, TlsFailed("bad certificate")).run()


async def test_i55_a_code_that_nobody_confirms_expires_when_the_server_said() -> None:
    bench = Bench(DEVICE, PENDING)
    error = await refused(bench.run())
    assert error.code == "expired_token"
    assert "iflow2api login qwen" in error.hint
    assert sum(bench.slept) == pytest.approx(900)


async def test_a_server_that_stayed_away_to_the_end_is_named_as_the_reason() -> None:
    error = await refused(Bench(DEVICE, FAILING).run())
    assert error.code == "expired_token"
    assert "did not answer" in error.message


async def test_f57_a_clock_that_is_corrected_ends_nothing_and_prolongs_nothing() -> None:
    bench = Bench(DEVICE, PENDING)
    bench.on_sleep = lambda: bench.clock.jump(-3600)
    await refused(bench.run())
    assert sum(bench.slept) == pytest.approx(900)

    bench = Bench(DEVICE, PENDING, PENDING, TOKENS)
    bench.on_sleep = lambda: bench.clock.jump(86_400)
    await bench.run()


async def test_a_rate_limit_is_sat_out_three_times() -> None:
    bench = Bench(DEVICE, TOO_MANY, TOO_MANY, TOO_MANY, PENDING, TOKENS)
    await bench.run()
    assert bench.slept == [5, 10, 10, 10, 5]

    bench = Bench(DEVICE, TOO_MANY)
    with pytest.raises(RateLimited):
        await bench.run()
    assert bench.slept == [5, 10, 10, 10]


async def test_a_countdown_can_be_drawn() -> None:
    bench = Bench(DEVICE, PENDING, TOKENS)
    seen: list[tuple[float, float]] = []
    bench.on_sleep = lambda: seen.append((bench.flow.seconds_left, bench.flow.next_poll_in_s))
    await bench.run()
    assert seen == [(900, 5), (895, 5)]


async def test_it_can_be_cancelled_while_it_sleeps() -> None:
    bench = Bench(DEVICE)

    async def asleep(seconds: float) -> None:
        task.cancel()
        await asyncio.Event().wait()

    flow = DeviceFlow(SIGN_IN, bench.transport, clock=bench.clock, entropy=counting_entropy(), sleep=asleep)
    task = asyncio.ensure_future(flow.wait(await flow.begin()))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(bench.transport.requests) == 1


async def test_it_can_be_cancelled_while_it_asks() -> None:
    bench = Bench(DEVICE, asyncio.Event())
    task = asyncio.ensure_future(bench.run())
    await until(lambda: len(bench.transport.requests) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_flow_can_be_taken_up_by_another_object() -> None:
    first = Bench(DEVICE)
    grant = await first.flow.begin()
    second = Bench(PENDING, TOKENS)
    resumed = second.flow.resume(
        device_code=grant.device_code, verifier=first.flow.verifier, expires_in_s=300, interval_s=5
    )
    assert second.flow.seconds_left == 300
    await second.flow.wait(resumed)
    assert f"code_verifier={first.flow.verifier}".encode() in second.transport.requests[0].body
    assert second.slept == [5, 5]


@pytest.mark.parametrize(
    "answer",
    [FakeReply(b'{"error":"invalid_client"}', status=401), HTML_200, FAILING, Unreachable("x"), FakeReply(b"{}")],
)
async def test_a_server_that_gives_no_code_is_told_at_once(answer: Answer) -> None:
    bench = Bench(answer)
    with pytest.raises(GatewayError):
        await bench.flow.begin()
    assert bench.slept == []


async def test_i54_a_page_that_must_not_be_opened_is_no_grant() -> None:
    for uri in ("file:///etc/passwd", "javascript:alert(1)", "http://evil.example"):
        body = b'{"device_code":"d","user_code":"u","verification_uri":"%b"}' % uri.encode()
        with pytest.raises(GatewayError):
            await Bench(FakeReply(body)).flow.begin()


@pytest.mark.parametrize("client", [None, replace(CLIENT, device_url="")])
def test_a_provider_without_device_codes_says_so(client: OAuthClient | None) -> None:
    with pytest.raises(ConfigError, match="no device codes"):
        Bench(DEVICE, sign_in=replace(SIGN_IN, client=client))


def test_i45_the_device_code_is_not_in_the_representation() -> None:
    grant: DeviceGrant = Bench(DEVICE).flow.resume(device_code=Secret("canary-device-code"), verifier="v")
    assert "canary" not in repr(grant)


async def test_a_wait_that_is_given_up_ends_before_the_server_is_asked_again() -> None:
    bench = Bench(DEVICE, PENDING, TOKENS)
    grant = await bench.flow.begin()

    def give_up() -> bool:
        return bench.clock.monotonic() > began + 7

    began = bench.clock.monotonic()
    with pytest.raises(GivenUp):
        await bench.flow.wait(grant, is_given_up=give_up)

    assert len(bench.transport.requests) == 2
    assert max(bench.slept) <= 0.2


async def test_a_wait_that_is_not_given_up_is_as_long_as_ever() -> None:
    bench = Bench(DEVICE, PENDING, TOKENS)
    await bench.flow.wait(await bench.flow.begin(), is_given_up=lambda: False)

    assert sum(bench.slept) == pytest.approx(10)
