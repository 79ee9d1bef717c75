"""One request from start to finish: the attempt loop, the judgement of answers, the commit point.

Knows codecs, providers, transports and the pool only by their interfaces, and no web framework. Until an attempt has
shown content, nothing has gone to the client and the next attempt may follow; after that, never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from iflow_cli_proxy.core import ids
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.usage import Usage, estimate_tokens
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.opening import Begun, Opening
from iflow_cli_proxy.gateway.record import AttemptRecord, Exchange
from iflow_cli_proxy.gateway.relay import Answer, ReadyStream, Relay, WholeAnswer
from iflow_cli_proxy.gateway.retry import RetryBudget, RetryRules, Tries, pause_before_retry
from iflow_cli_proxy.gateway.session import conversation_of
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.pool.pool import Lease
from iflow_cli_proxy.protocols.base import Codec, EncodeOptions, Envelope, Inbound
from iflow_cli_proxy.providers.base import Call, Provider
from iflow_cli_proxy.routing.parameters import ParameterRule, apply_rules
from iflow_cli_proxy.routing.resolve import Route, RoutingTable, resolve
from iflow_cli_proxy.transport.base import Transport, UpstreamReply


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A provider and how it is reached."""

    provider: Provider
    transport: Transport
    stream_limits: Limits = field(default_factory=Limits)
    json_limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True)
class GatewayRules:
    """The settings that the attempt loop obeys."""

    retry: RetryRules = field(default_factory=RetryRules)
    parameters: Sequence[ParameterRule] = ()
    merges_reasoning: bool = False
    names_account: bool = True
    """Tell the client which account and route answered."""


@dataclass(kw_only=True)
class _Attempt:
    """What one attempt holds; whoever ends it calls `close` once."""

    lease: Lease
    route: Route
    started_at: float
    reply: UpstreamReply | None = None


class Gateway:
    """Built anew for every change of settings; requests keep the one they started with."""

    def __init__(
        self,
        *,
        codecs: Mapping[str, Codec],
        upstreams: Mapping[str, Upstream],
        table: RoutingTable,
        turnstile: Turnstile,
        rules: GatewayRules,
        budget: RetryBudget,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self.codecs = codecs
        self.upstreams = upstreams
        self.table = table
        self.turnstile = turnstile
        self.rules = rules
        self._budget = budget
        self._clock = clock
        self._chance = chance

    async def answer(self, inbound: Inbound, exchange: Exchange) -> Answer:
        """The client's answer; a stream is past its commit point when it is returned.

        Raises:
            GatewayError: nothing good came of it. The caller words it in the client's protocol.
        """
        codec = self.codecs[inbound.protocol]
        envelope = codec.read_envelope(inbound)
        exchange.asked, exchange.is_stream = envelope.model, envelope.is_stream
        routes = resolve(envelope.model, self.table)
        deadline = Deadline(self._limits(routes[0], envelope, inbound))
        try:
            answer = await self._try(codec, envelope, inbound, routes, deadline, exchange)
        except BaseException:
            deadline.close()
            raise
        if isinstance(answer, WholeAnswer | ReadyStream):
            deadline.close()
        return answer

    def _limits(self, route: Route, envelope: Envelope, inbound: Inbound) -> Limits:
        """The provider's limits; a client may shorten the total by `x-request-timeout` seconds, never lengthen it."""
        upstream = self.upstreams[route.provider]
        limits = upstream.stream_limits if envelope.is_stream else upstream.json_limits
        wish = inbound.headers.get("x-request-timeout", "")
        if wish.isascii() and wish.isdigit() and 0 < int(wish[:9]) < limits.total_s:
            return replace(limits, total_s=float(wish[:9]))
        return limits

    async def _try(
        self,
        codec: Codec,
        envelope: Envelope,
        inbound: Inbound,
        routes: Sequence[Route],
        deadline: Deadline,
        exchange: Exchange,
    ) -> Answer:
        tries = Tries(forbids_ambiguous=inbound.headers.get("x-no-retry", "") not in ("", "0"))
        tried: set[str] = set()
        conversation = conversation_of(inbound.headers, envelope.values)
        self._budget.first_attempt()
        route = routes[0]
        while True:
            lease = await self.turnstile.enter(route.provider, tried)
            attempt = _Attempt(lease=lease, route=route, started_at=self._clock.monotonic())
            exchange.account, exchange.route = lease.account.label, str(route)
            tries.attempts += 1
            try:
                return await self._attempt(codec, envelope, conversation, attempt, deadline, exchange)
            except GatewayError as error:
                self._close(attempt, exchange, error)
                await self._before_next(error, attempt, tries, tried, exchange)
                deadline.restart()
            except BaseException:
                self._close(attempt, exchange, None)
                raise

    async def _before_next(
        self, error: GatewayError, attempt: _Attempt, tries: Tries, tried: set[str], exchange: Exchange
    ) -> None:
        """Sleep as long as the rules say, or raise `error` again when it was the last."""
        account = attempt.lease.account
        tried.add(account.id)
        has_other = self.turnstile.pool.others(account.provider, tried) > 0
        pause_s = pause_before_retry(error, tries, self.rules.retry, has_other_account=has_other, chance=self._chance())
        if pause_s is None or exchange.is_committed or not self._budget.allows_retry(self._clock.monotonic()):
            raise error
        tries.ambiguous += error.is_ambiguous
        tries.on_same += not has_other
        if pause_s:
            await asyncio.sleep(pause_s)

    def _close(self, attempt: _Attempt, exchange: Exchange, error: GatewayError | None) -> None:
        if attempt.reply is not None:
            attempt.reply.close()
        kind = error.kind if error is not None else ""
        self.turnstile.leave(attempt.lease, kind)
        exchange.attempts.append(
            AttemptRecord(
                account=attempt.lease.account.label,
                route=str(attempt.route),
                error_kind=kind,
                duration_s=self._clock.monotonic() - attempt.started_at,
            )
        )

    # --- one attempt ----------------------------------------------------------------------------------------------

    async def _attempt(
        self,
        codec: Codec,
        envelope: Envelope,
        conversation: str,
        attempt: _Attempt,
        deadline: Deadline,
        exchange: Exchange,
    ) -> Answer:
        upstream = self.upstreams[attempt.route.provider]
        provider = upstream.provider
        request = provider.prepare(self._call(codec, envelope, conversation, attempt, provider))
        with deadline:
            attempt.reply = await upstream.transport.send(request)
        opening = Opening(
            codec=codec,
            upstream_codec=self.codecs[provider.protocol],
            provider=provider,
            envelope=envelope,
            options=self._options(envelope, attempt.route, exchange),
            reply=attempt.reply,
            deadline=deadline,
        )
        found = await opening.read()
        exchange.waited_s = deadline.waited_s
        exchange.first_byte_s = self._clock.monotonic() - exchange.started_at
        headers = self._headers(attempt.reply, exchange)
        if isinstance(found, Begun):
            return self._relay(codec, attempt, deadline, exchange, found, headers)
        exchange.usage = found.usage or _estimated(len(found.body))
        self._close(attempt, exchange, None)  # the account is free before the client has read a byte
        return ReadyStream(found.body, headers) if found.is_stream else WholeAnswer(body=found.body, headers=headers)

    def _call(self, codec: Codec, envelope: Envelope, conversation: str, attempt: _Attempt, provider: Provider) -> Call:
        if provider.protocol == codec.name:
            fields = envelope.fields
        else:
            fields = self.codecs[provider.protocol].encode_request(codec.decode_request(envelope))
        return Call(
            account=attempt.lease.account,
            model=attempt.route.model,
            fields=apply_rules(fields, attempt.route.model, self.rules.parameters),
            is_stream=envelope.is_stream,
            conversation=conversation,
        )

    def _options(self, envelope: Envelope, route: Route, exchange: Exchange) -> EncodeOptions:
        return EncodeOptions(
            id=ids.completion_id(exchange.request_id),
            created=int(self._clock.now()),
            model=route.model,
            shows_usage=envelope.wants_usage,
            merges_reasoning=self.rules.merges_reasoning,
        )

    def _relay(
        self,
        codec: Codec,
        attempt: _Attempt,
        deadline: Deadline,
        exchange: Exchange,
        begun: Begun,
        headers: Mapping[str, str],
    ) -> Relay:
        reply, attempt.reply = attempt.reply, None
        assert reply is not None

        def on_end(error: GatewayError | None) -> None:
            exchange.usage = begun.pipe.usage or _estimated(begun.pipe.characters)
            exchange.waited_s = deadline.waited_s
            if error is not None:
                exchange.error_kind = error.kind
            self._close(attempt, exchange, error)

        return Relay(
            codec=codec,
            reply=reply,
            deadline=deadline,
            pipe=begun.pipe,
            ready=begun.ready,
            headers=headers,
            on_end=on_end,
        )

    def _headers(self, reply: UpstreamReply, exchange: Exchange) -> dict[str, str]:
        """What the client may know: the upstream's rate limits and, unless turned off, who answered."""
        headers = {
            name: value
            for name, value in reply.headers.items()
            if name.startswith("x-ratelimit-") and value.isprintable() and len(value) <= 100
        }
        if self.rules.names_account:
            overhead_s = max(0.0, (exchange.first_byte_s or 0.0) - exchange.waited_s)
            headers["x-iflow2api-account"] = _header_safe(exchange.account)
            headers["x-iflow2api-route"] = _header_safe(exchange.route)
            headers["x-iflow2api-attempts"] = str(len(exchange.attempts) + 1)
            headers["x-iflow2api-overhead-ms"] = f"{overhead_s * 1000:.1f}"
        return headers


def _estimated(characters: int) -> Usage:
    return Usage(completion=estimate_tokens(characters), is_estimated=True)


def _header_safe(text: str) -> str:
    """Printable ASCII, as header values must be."""
    if text.isascii() and text.isprintable():
        return text[:200]
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)[:200]
