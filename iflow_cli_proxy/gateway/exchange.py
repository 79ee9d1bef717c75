"""One request from start to finish: limits, the attempt loop, and which error is told when no attempt was good.

Knows codecs, providers, transports and the pool only by their interfaces, and no web framework. Until an attempt has
shown content, nothing has gone to the client and the next attempt may follow; after that, never.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from typing import Final

import msgspec

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.usage import estimate_tokens
from iflow_cli_proxy.gateway.attempt import AnswerRules, Question, Upstream
from iflow_cli_proxy.gateway.continuing import ContinuedStream, Seam, asking_on, continued, may_continue
from iflow_cli_proxy.gateway.course import Course, Means
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.images import LARGEST_BYTES, Fetch, check_sizes, inline_images
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import Answer, Relay
from iflow_cli_proxy.gateway.renewal import NoRenewal, Renewal
from iflow_cli_proxy.gateway.retry import RetryBudget, RetryRules, Tries
from iflow_cli_proxy.gateway.rewording import reworded
from iflow_cli_proxy.gateway.session import conversation_of, session_of
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.gateway.vision import VisionBridge
from iflow_cli_proxy.pool.client_key import allowed_accounts, allows_model, check_model
from iflow_cli_proxy.pool.rules import Strategy
from iflow_cli_proxy.protocols.base import Codec, Envelope, Inbound, Voice
from iflow_cli_proxy.routing.resolve import Route, RoutingTable, resolve

_TIMEOUT_HEADER: Final = "x-request-timeout"
_MOST_ROUTES: Final = 1024


@dataclass(frozen=True, kw_only=True)
class GatewayRules:
    """The settings a gateway obeys."""

    retry: RetryRules = field(default_factory=RetryRules)
    answer: AnswerRules = field(default_factory=AnswerRules)
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The globs of each [pools.NAME] over provider/label."""


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
        renewal: Renewal | None = None,
        fetch: Fetch | None = None,
        bridge: VisionBridge | None = None,
    ) -> None:
        self.codecs = codecs
        self.upstreams = upstreams
        self.table = table
        self.turnstile = turnstile
        self.rules = rules
        self._budget = budget
        self._means = Means(
            codecs=codecs,
            upstreams=upstreams,
            table=table,
            turnstile=turnstile,
            retry=rules.retry,
            answer=rules.answer,
            budget=budget,
            clock=clock,
            chance=chance,
            renewal=renewal or NoRenewal(),
            bridge=bridge,
        )
        self._fetch = fetch
        self._routes: dict[str, tuple[Route, ...]] = {}
        """Names that were resolved already: catalogues do not change while a gateway lives."""

    async def answer(self, inbound: Inbound, exchange: Exchange) -> Answer:
        """The client's answer; a stream is past its commit point when it is returned.

        Raises:
            GatewayError: nothing good came of it. The caller words it in the client's protocol.
        """
        codec = self.codecs[inbound.protocol]
        envelope = await self._understood(codec, inbound)
        exchange.asked, exchange.is_stream = envelope.model, envelope.is_stream
        exchange.voice = voice = codec.voice(envelope)
        routes = self._allowed_routes(exchange)
        seam = self._seam(codec, voice, envelope)
        question = self._question(codec, seam or voice, envelope, inbound, exchange, routes[0])
        tries = Tries(forbids_ambiguous=inbound.headers.get("x-no-retry", "") not in ("", "0"))
        self._budget.first_attempt()
        answer: Answer | None = None
        try:
            answer = await Course(self._means, question, routes, tries).run()
            if seam is not None:
                answer = await continued(answer, seam, partial(self._ask_on, question, routes), exchange)
            return answer
        finally:
            if not isinstance(answer, Relay | ContinuedStream):
                question.deadline.close()

    async def _understood(self, codec: Codec, inbound: Inbound) -> Envelope:
        """The checked request, with what the settings mend in it."""
        envelope = codec.read_envelope(inbound)
        if len(inbound.body) > LARGEST_BYTES:
            check_sizes(codec.find_images(envelope))
        if self.rules.answer.repairs_messages:
            envelope, _ = codec.repair(envelope)
        return envelope if self._fetch is None else await inline_images(codec, envelope, self._fetch)

    def _seam(self, codec: Codec, voice: Voice, envelope: Envelope) -> Seam | None:
        """Only for answers that may be asked on: they leave the fast path."""
        times = self.rules.answer.continues
        return Seam(voice, times) if times and may_continue(codec.decode_request(envelope)) else None

    async def _ask_on(self, question: Question, routes: tuple[Route, ...], text: str) -> Answer:
        """The same conversation with the answer so far, for the rest of it."""
        codec, envelope = question.codec, question.envelope
        request = asking_on(codec.decode_request(envelope), text)
        further = msgspec.structs.replace(question, envelope=reworded(envelope, codec, request))
        self._budget.first_attempt()
        return await Course(self._means, further, routes, Tries()).run()

    def _question(
        self, codec: Codec, voice: Voice, envelope: Envelope, inbound: Inbound, exchange: Exchange, route: Route
    ) -> Question:
        conversation = conversation_of(inbound.headers, envelope.values)
        key = exchange.caller.key
        pool = key.pool if key else ""
        return Question(
            codec=codec,
            voice=voice,
            envelope=envelope,
            conversation=conversation,
            deadline=Deadline(self._limits(route, envelope, inbound)),
            exchange=exchange,
            session=session_of(conversation, envelope.values) if self._is_sticky(pool) else "",
            allowed=self._allowed_accounts(exchange),
            pool=pool,
            tokens=estimate_tokens(len(inbound.body)),
        )

    def _is_sticky(self, pool: str) -> bool:
        rules = self.turnstile.pool.rules
        return rules.pools.get(pool, rules.choosing).strategy is Strategy.STICKY

    def _allowed_accounts(self, exchange: Exchange) -> frozenset[str] | None:
        caller = exchange.caller
        if caller.key is None and not caller.account_id:
            return None
        return allowed_accounts(
            caller, (one.account for one in self.turnstile.pool.standings()), self.rules.pools
        )  # fmt: skip

    def _allowed_routes(self, exchange: Exchange) -> tuple[Route, ...]:
        """Those that the caller's key may take. Raises Forbidden when there is none."""
        asked, key = exchange.asked, exchange.caller.key
        routes = self._routes_of(asked)
        if key is None or not key.models:
            return routes
        allowed = tuple(route for route in routes if allows_model(key, asked, str(route)))
        if not allowed:
            check_model(key, asked, str(routes[0]))
        return allowed

    def _routes_of(self, asked: str) -> tuple[Route, ...]:
        known = self._routes.get(asked)
        if known is None:
            known = resolve(asked, self.table)
            if len(self._routes) < _MOST_ROUTES:
                self._routes[asked] = known
        return known

    def _limits(self, route: Route, envelope: Envelope, inbound: Inbound) -> Limits:
        """The provider's limits; a client may shorten the total by a header, never lengthen it."""
        upstream = self.upstreams[route.provider]
        limits = upstream.stream_limits if envelope.is_stream else upstream.json_limits
        wish_s = _seconds(inbound.headers.get(_TIMEOUT_HEADER, ""))
        if wish_s is None or wish_s >= limits.total_s:
            return limits
        return replace(limits, total_s=wish_s, total_name=_TIMEOUT_HEADER, total_hint="ask for more in that header")


def _seconds(text: str) -> float | None:
    """A positive number of seconds, None when `text` is nothing of the kind."""
    if not text:
        return None
    try:
        value = float(text[:32])
    except ValueError:
        return None
    return value if isfinite(value) and value > 0 else None
