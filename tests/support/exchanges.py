"""A gateway without sockets and settings, for tests of the attempt loop and its parts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.room import Room
from iflow_cli_proxy.gateway.attempt import AnswerRules, Upstream
from iflow_cli_proxy.gateway.deadline import Limits
from iflow_cli_proxy.gateway.exchange import Gateway, GatewayRules
from iflow_cli_proxy.gateway.images import Fetch
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import Answer, WholeAnswer
from iflow_cli_proxy.gateway.renewal import Renewal
from iflow_cli_proxy.gateway.retry import RetryBudget, RetryRules
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.gateway.vision import VisionBridge
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.client_key import ANYONE, Caller
from iflow_cli_proxy.pool.pool import AccountPool
from iflow_cli_proxy.protocols import CODECS
from iflow_cli_proxy.protocols.base import Inbound
from iflow_cli_proxy.providers.base import Provider
from iflow_cli_proxy.providers.openai_compatible import OpenAICompatible
from iflow_cli_proxy.routing.catalog import Catalog, Model
from iflow_cli_proxy.routing.resolve import RoutingTable
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer as Scripted
from tests.support.fake_transport import FakeTransport

PROVIDER = "up"
CODEC = CODECS["openai_chat"]
GENEROUS = RetryRules(backoff_s=0.0)
LIMITS = Limits(first_byte_s=10, idle_s=5, content_s=20, total_s=60)


def accounts(count: int, *, concurrency: int = 1) -> list[Account]:
    return [
        Account(id=f"a{number}", provider=PROVIDER, label=f"label {number}", concurrency=concurrency)
        for number in range(count)
    ]


def provider(clock: FakeClock | None = None, *, name: str = PROVIDER, models: Sequence[Model] = ()) -> OpenAICompatible:
    return OpenAICompatible(name, f"http://{name}.test/v1", Catalog(models), clock=clock or FakeClock())


def inbound(*, headers: Mapping[str, str] | None = None, **fields: Any) -> Inbound:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return Inbound(protocol=CODEC.name, body=jsonx.encode(body), headers=dict(headers or {}))


@dataclass
class Bench:
    """One gateway, its upstream's script, and what it leaves behind."""

    transport: FakeTransport
    pool: AccountPool
    turnstile: Turnstile
    gateway: Gateway
    exchanges: list[Exchange] = field(default_factory=list)
    caller: Caller = ANYONE

    async def answer(self, **options: Any) -> Answer:
        exchange = Exchange(request_id="req_1", protocol=CODEC.name, started_at=0.0, caller=self.caller)
        self.exchanges.append(exchange)
        return await self.gateway.answer(inbound(**options), exchange)

    async def body(self, **options: Any) -> bytes:
        """The whole answer, streamed or not."""
        answer = await self.answer(**options)
        if isinstance(answer, WholeAnswer):
            return answer.body
        pieces = []
        try:
            while piece := await answer.read():
                pieces.append(piece)
        finally:
            await answer.aclose()
        return b"".join(pieces)

    @property
    def endings(self) -> list[tuple[str, str]]:
        """Account and ending of each attempt of the last exchange."""
        return [(attempt.account, attempt.error_kind) for attempt in self.exchanges[-1].attempts]

    @property
    def routes(self) -> list[str]:
        """Where each attempt of the last exchange went."""
        return [attempt.route for attempt in self.exchanges[-1].attempts]

    @property
    def in_flight(self) -> int:
        return sum(standing.in_flight for standing in self.pool.standings())


def bench(
    *answers: Scripted,
    count: int = 1,
    concurrency: int = 1,
    retry: RetryRules = GENEROUS,
    limits: Limits = LIMITS,
    answer_rules: AnswerRules | None = None,
    transport: FakeTransport | None = None,
    by: Provider | None = None,
    renewal: Renewal | None = None,
    models: Sequence[Model] = (),
    beside: Mapping[str, FakeTransport] | None = None,
    fallbacks: Mapping[str, tuple[str, ...]] | None = None,
    bridge: VisionBridge | None = None,
    fetch: Fetch | None = None,
    room: Room | None = None,
    saved_retries: int = 10,
) -> Bench:
    """`count` accounts of one provider that knows `models`; `beside` it, others with an account each."""
    transport, clock = transport or FakeTransport(*answers), FakeClock()
    others = [Account(id=f"of {name}", provider=name, label=f"of {name}") for name in beside or ()]
    pool = AccountPool([*accounts(count, concurrency=concurrency), *others])
    turnstile = Turnstile(pool, now=lambda: asyncio.get_running_loop().time())
    reached = {PROVIDER: (by or provider(clock, models=models), transport)}
    reached |= {name: (provider(clock, name=name), each) for name, each in (beside or {}).items()}
    upstreams = {
        name: Upstream(provider=who, transport=how, stream_limits=limits, json_limits=limits)
        for name, (who, how) in reached.items()
    }
    budget = RetryBudget()
    for _ in range(5 * saved_retries):
        budget.first_attempt()
    gateway = Gateway(
        codecs=CODECS,
        upstreams=upstreams,
        table=RoutingTable(
            catalogs={name: one.provider.catalog for name, one in upstreams.items()}, fallbacks=fallbacks or {}
        ),
        turnstile=turnstile,
        rules=GatewayRules(retry=retry, answer=answer_rules or AnswerRules()),
        budget=budget,
        clock=clock,
        chance=lambda: 0.5,
        renewal=renewal,
        bridge=bridge,
        fetch=fetch,
        room=room,
    )
    return Bench(transport, pool, turnstile, gateway)
