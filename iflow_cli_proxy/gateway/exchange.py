"""One request from start to finish: limits, the attempt loop, and which error is told when no attempt was good.

Knows codecs, providers, transports and the pool only by their interfaces, and no web framework. Until an attempt has
shown content, nothing has gone to the client and the next attempt may follow; after that, never.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from typing import Final, TypeAlias

import msgspec

from iflow_cli_proxy.core import jsonx
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import GatewayError, InvalidRequest, UnknownModel
from iflow_cli_proxy.core.room import Room
from iflow_cli_proxy.gateway.attempt import AnswerRules, Question, Upstream
from iflow_cli_proxy.gateway.continuing import ContinuedStream, Seam, asking_on, continued, may_continue
from iflow_cli_proxy.gateway.counting import SHORTEST_PICTURE, PromptSize, TokenScale, size_of
from iflow_cli_proxy.gateway.course import Course, Means
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.flight import RouteTaken
from iflow_cli_proxy.gateway.images import LARGEST_BYTES, Fetch, check_sizes, inline_images
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import Answer, Relay, WholeAnswer
from iflow_cli_proxy.gateway.renewal import NoRenewal, Renewal
from iflow_cli_proxy.gateway.retry import RetryBudget, RetryRules, Tries
from iflow_cli_proxy.gateway.rewording import reworded
from iflow_cli_proxy.gateway.route_book import RouteBook
from iflow_cli_proxy.gateway.session import conversation_of, session_of
from iflow_cli_proxy.gateway.telling import is_unknown
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.gateway.vision import VisionBridge
from iflow_cli_proxy.pool.client_key import allowed_accounts
from iflow_cli_proxy.pool.rules import Strategy
from iflow_cli_proxy.protocols.base import Codec, Envelope, Inbound, Voice
from iflow_cli_proxy.routing.catalog import Catalog
from iflow_cli_proxy.routing.resolve import Route, RoutingTable

Recall: TypeAlias = Callable[[Envelope], Envelope]

_LOG: Final = logging.getLogger("iflow2api.gateway")
_NO_RETRY_HEADER: Final = "x-no-retry"
_TIMEOUT_HEADER: Final = "x-request-timeout"


@dataclass(frozen=True, kw_only=True)
class GatewayRules:
    """The settings a gateway obeys."""

    retry: RetryRules = field(default_factory=RetryRules)
    answer: AnswerRules = field(default_factory=AnswerRules)
    pools: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The globs of each [pools.NAME] over provider/label."""
    keeps_rounds_when_asked: int = 10
    """`AnswerRules.keeps_rounds` for a client that asks for its prompt to be shortened where it is too long."""


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
        room: Room | None = None,
        bridge: VisionBridge | None = None,
        scale: TokenScale | None = None,
    ) -> None:
        """`room` is what fetched images may take up until their requests have ended, together with all others in it."""
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
        )
        self._fetch = fetch
        self._room = room or Room()
        self._bridge = bridge
        self._scale = scale or TokenScale()
        self._book = RouteBook(table)

    async def answer(self, inbound: Inbound, exchange: Exchange, *, recall: Recall | None = None) -> Answer:
        """The client's answer; a stream is past its commit point when it is returned.

        `recall` puts earlier turns in front of a checked request.

        Raises:
            GatewayError: nothing good came of it. The caller words it in the client's protocol.
        """
        codec = self.codecs[inbound.protocol]
        envelope, size = self._understood(codec, inbound, exchange, recall)
        exchange.asked, exchange.is_stream = envelope.model, envelope.is_stream
        exchange.voice = voice = codec.voice(envelope)
        routes = self._able_routes(codec, self._book.routes(envelope.model, exchange.caller.key))
        if _LOG.isEnabledFor(logging.DEBUG):
            _LOG.debug("asked for %s: %s", envelope.model, ", then ".join(map(str, routes)))
        if (at_once := codec.answer_at_once(envelope, self._means.clock.now())) is not None:
            return WholeAnswer(body=at_once, headers={})
        seam = self._seam(codec, voice, envelope)
        exchange.at_end.append(partial(self._learn, exchange, size))
        deadline = Deadline(self._limits(routes[0], envelope, inbound))
        answer: Answer | None = None
        try:
            envelope = await self._with_images(codec, envelope, deadline, exchange)
            question = self._question(codec, seam or voice, envelope, inbound, exchange, deadline, size)
            if exchange.flight is not None:
                exchange.flight.route = self._route_taken(question, routes)
            means = self._means_of(question)
            self._budget.first_attempt()
            no_retry = inbound.headers.get(_NO_RETRY_HEADER, "") not in ("", "0")
            answer = await Course(means, question, routes, Tries(forbids_ambiguous=no_retry)).run()
            if seam is not None:
                ask_on = partial(self._ask_on, question, means, no_retry)
                answer = await continued(answer, seam, ask_on, exchange, close=deadline.close)
            return answer
        except GatewayError as error:
            if codec.is_passed_on and is_unknown(error) and not isinstance(error, UnknownModel):
                raise _no_endpoint(routes[0], codec) from error
            raise
        finally:
            if not isinstance(answer, Relay | ContinuedStream):
                deadline.close()

    def count(self, envelope: Envelope, body: bytes, exchange: Exchange) -> int:
        """About how many tokens the prompt of a body has.

        Raises:
            GatewayError: the model is not known, or not for this key.
        """
        self._book.routes(envelope.model, exchange.caller.key)
        codec = self.codecs[exchange.protocol]
        size = size_of(body, codec.picture_marks)
        images = [placed.image for placed in codec.find_images(envelope)]
        small = [len(image.data) for image in images if len(image.data) < SHORTEST_PICTURE]  # or given by URL
        return self._scale.tokens(envelope.model, size.text_bytes - sum(small), size.pictures + len(small))

    def _learn(self, exchange: Exchange, size: PromptSize) -> None:
        """What the upstream counted, of a prompt that went to it once and holds text only."""
        usage = exchange.usage
        if usage is None or usage.is_estimated or len(exchange.attempts) != 1 or size.pictures:
            return
        self._scale.learn(exchange.asked, size.text_bytes, usage.prompt)

    def _understood(
        self, codec: Codec, inbound: Inbound, exchange: Exchange, recall: Recall | None
    ) -> tuple[Envelope, PromptSize]:
        """The checked request, with what the settings mend in it, and how large it is with what was recalled."""
        envelope, size = codec.read_envelope(inbound), size_of(inbound.body, codec.picture_marks)
        if exchange.flight is not None:
            exchange.flight.fields = tuple(envelope.values)
        if recall is not None and (whole := recall(envelope)) is not envelope:
            envelope, size = whole, size_of(jsonx.encode(whole.fields), codec.picture_marks)
        if len(inbound.body) > LARGEST_BYTES:
            check_sizes(codec.find_images(envelope))
        if self.rules.answer.repairs_messages:
            envelope, notes = codec.repair(envelope)
            exchange.repairs = len(notes)
            if exchange.flight is not None:
                exchange.flight.repairs = notes
        return envelope, size

    async def _with_images(self, codec: Codec, envelope: Envelope, deadline: Deadline, exchange: Exchange) -> Envelope:
        """The same request with the images that it names by URL. They take up room until it has ended."""
        if self._fetch is None:
            return envelope
        share = self._room.share()
        exchange.at_end.append(share.give_back)
        async with deadline.within_total():
            return await inline_images(codec, envelope, self._fetch, hold=share.take)

    def _means_of(self, question: Question) -> Means:
        """What this request's attempts are made with: models its key may use, a bridge at its own expense."""
        means, key = self._means, question.exchange.caller.key
        if question.envelope.may_be_shortened and not means.answer.keeps_rounds:
            means = replace(means, answer=replace(means.answer, keeps_rounds=self.rules.keeps_rounds_when_asked))
        if self._bridge is not None:
            means = replace(means, bridge=self._bridge.on_behalf_of(question.exchange, question.deadline))
        return replace(means, table=self._book.table_for(key)) if key is not None and key.models else means

    def _seam(self, codec: Codec, voice: Voice, envelope: Envelope) -> Seam | None:
        """Only for answers that may be asked on: they leave the fast path."""
        times = self.rules.answer.continues
        return Seam(voice, times) if times and may_continue(codec.decode_request(envelope)) else None

    async def _ask_on(self, question: Question, means: Means, no_retry: bool, text: str, exchange: Exchange) -> Answer:
        """The same conversation with the answer so far, for the rest of it, from the model that began it."""
        codec, envelope, route = question.codec, question.envelope, exchange.answered_by
        assert route is not None, "what is asked on was answered"
        request = asking_on(codec.decode_request(envelope), text)
        further = msgspec.structs.replace(question, envelope=reworded(envelope, codec, request), exchange=exchange)
        means = replace(means, table=RoutingTable(catalogs={route.provider: Catalog()}))
        self._budget.first_attempt()
        return await Course(means, further, (route,), Tries(forbids_ambiguous=no_retry)).run()

    def _question(
        self,
        codec: Codec,
        voice: Voice,
        envelope: Envelope,
        inbound: Inbound,
        exchange: Exchange,
        deadline: Deadline,
        size: PromptSize,
    ) -> Question:
        conversation = conversation_of(inbound.headers, envelope.values)
        key = exchange.caller.key
        pool = key.pool if key else ""
        return Question(
            codec=codec,
            voice=voice,
            envelope=envelope,
            conversation=conversation,
            deadline=deadline,
            exchange=exchange,
            session=session_of(conversation, envelope.values) if self._is_sticky(pool) else "",
            allowed=self._allowed_accounts(exchange),
            pool=pool,
            tokens=self._scale.tokens(envelope.model, *size),
        )

    def _is_sticky(self, pool: str) -> bool:
        return self._strategy(pool) is Strategy.STICKY

    def _strategy(self, pool: str) -> Strategy:
        rules = self.turnstile.pool.rules
        return rules.pools.get(pool, rules.choosing).strategy

    def _route_taken(self, question: Question, routes: tuple[Route, ...]) -> RouteTaken:
        """The decision for the flight recorder."""
        words = self._book.words(question.exchange.asked)
        return RouteTaken(
            alias_of=words.alias_of,
            routes=routes,
            strategy=self._strategy(question.pool),
            has_session=bool(question.session),
            steps=words.steps,
        )

    def _allowed_accounts(self, exchange: Exchange) -> frozenset[str] | None:
        caller = exchange.caller
        if caller.key is None and not caller.account_id:
            return None
        return allowed_accounts(
            caller, (one.account for one in self.turnstile.pool.standings()), self.rules.pools
        )  # fmt: skip

    def _able_routes(self, codec: Codec, routes: tuple[Route, ...]) -> tuple[Route, ...]:
        """Those whose upstream can be asked in a protocol that nobody translates. Raises InvalidRequest when there is
        none."""
        if not codec.is_passed_on:
            return routes
        able = tuple(route for route in routes if codec.name in self.upstreams[route.provider].provider.passes_on)
        if not able:
            raise _no_endpoint(routes[0], codec)
        return able

    def _limits(self, route: Route, envelope: Envelope, inbound: Inbound) -> Limits:
        """The provider's limits; a client may shorten the total by a header, never lengthen it."""
        upstream = self.upstreams[route.provider]
        limits = upstream.stream_limits if envelope.is_stream else upstream.json_limits
        wish_s = _seconds(inbound.headers.get(_TIMEOUT_HEADER, ""))
        if wish_s is None or wish_s >= limits.total_s:
            return limits
        return replace(limits, total_s=wish_s, total_name=_TIMEOUT_HEADER, total_hint="ask for more in that header")


def _no_endpoint(route: Route, codec: Codec) -> InvalidRequest:
    what = codec.name.rpartition("_")[2]
    return InvalidRequest(
        f"`{route.provider}` has no {what}.", hint="ask for a model of another provider", param="model"
    )


def _seconds(text: str) -> float | None:
    """A positive number of seconds, None when `text` is nothing of the kind."""
    if not text:
        return None
    try:
        value = float(text[:32])
    except ValueError:
        return None
    return value if isfinite(value) and value > 0 else None
