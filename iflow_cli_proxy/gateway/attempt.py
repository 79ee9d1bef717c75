"""One try at one upstream: what it holds, how it is made, and what is noted of it.

Knows the provider, the transport and the pipes only by their interfaces. Refuses to know whether another try follows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from iflow_cli_proxy.core import ids
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import GatewayError, InvalidRequest
from iflow_cli_proxy.core.fitting import fitted, fitted_fields, refuses
from iflow_cli_proxy.core.profile import Profile
from iflow_cli_proxy.core.usage import Usage, estimate_tokens
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.opening import Begun, Found, Opening
from iflow_cli_proxy.gateway.record import AttemptRecord, Exchange
from iflow_cli_proxy.gateway.relay import Answer, ReadyStream, Relay, WholeAnswer
from iflow_cli_proxy.gateway.rewording import COMPRESSED_HEADER
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.pool.outcome import Outcome
from iflow_cli_proxy.pool.pool import Lease
from iflow_cli_proxy.protocols.base import Codec, EncodeOptions, Envelope, Voice
from iflow_cli_proxy.providers.base import Call, Provider
from iflow_cli_proxy.routing.parameters import ParameterRule, apply_rules
from iflow_cli_proxy.routing.resolve import Route
from iflow_cli_proxy.transport.base import Transport, UpstreamReply, UpstreamRequest

_LOG: Final = logging.getLogger("iflow2api.gateway")

CANCELLED: Final = "cancelled"
"""Ending of an attempt that nothing was wrong with: the client left, or the gateway is stopping."""
OUR_BUG: Final = "internal"


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """A provider and how it is reached."""

    provider: Provider
    transport: Transport
    stream_limits: Limits = field(default_factory=Limits)
    json_limits: Limits = field(default_factory=Limits)
    probed: Profile | None = None
    """What it really supports, where somebody has found out."""
    needs_login: bool = False
    """There are accounts, but each of them waits for a person."""
    rests_until: float = 0.0
    """Monotonic; no account can be used before, then one may be."""

    @property
    def profile(self) -> Profile:
        own = self.provider.profile
        if self.probed is None:
            return own
        return msgspec.structs.replace(
            self.probed, openai_words=own.openai_words, effort_none=own.effort_none or self.probed.effort_none
        )


@dataclass(frozen=True, kw_only=True)
class AnswerRules:
    """The settings that decide how a request is worded and an answer shown."""

    parameters: Sequence[ParameterRule] = ()
    merges_reasoning: bool = False
    repairs_messages: bool = True
    keeps_rounds: int = 0
    """Above 0 the oldest rounds of a prompt that is too long are dropped, but never these last ones."""
    continues: int = 0
    """How often an answer that was cut off by nobody's limit is asked on."""
    names_account: bool = True
    """Tell the client which account and route answered."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What all attempts of one exchange have in common."""

    codec: Codec
    voice: Voice
    envelope: Envelope
    conversation: str
    deadline: Deadline
    exchange: Exchange
    session: str = ""
    """What the conversation is known by where accounts are chosen by it; empty elsewhere."""
    allowed: frozenset[str] | None = None
    """Ids of the accounts the caller may use; None for all."""
    pool: str = ""
    """The pool its client key is bound to."""
    tokens: int = 0
    """How many the prompt is thought to have."""
    shortening: str = ""
    """What was dropped of the prompt, for the client; empty when nothing was."""


class Attempt:
    """Holds a lease and, once something was sent, a reply. `close` gives both back; whoever ends it calls that."""

    def __init__(
        self,
        question: Question,
        *,
        route: Route,
        lease: Lease,
        turnstile: Turnstile,
        upstream: Upstream,
        codecs: Mapping[str, Codec],
        rules: AnswerRules,
        clock: Clock,
    ) -> None:
        self.route = route
        self.lease = lease
        self._question = question
        self._turnstile = turnstile
        self._upstream = upstream
        self._codecs = codecs
        self._rules = rules
        self._clock = clock
        self._started_at = clock.monotonic()
        self._reply: UpstreamReply | None = None
        self._answered: Mapping[str, str] = {}
        """The headers of a reply that is not ours to close any more."""
        self._names: Mapping[str, str] = {}
        """The client's names of tools to those upstream, where they differ."""
        self._status = 0
        self._is_sent = False
        self._is_closed = False
        exchange = question.exchange
        exchange.account, exchange.route, exchange.progress = lease.account.label, str(route), None
        flight = exchange.flight
        self._flown = flight.attempt(lease.account.label, route, self._started_at) if flight is not None else None
        if flight is not None:
            flight.shortening = question.shortening

    async def run(self) -> Answer:
        """The answer. A Relay closes this attempt when it ends; after anything else the attempt is closed already.

        Raises:
            GatewayError: nothing good came of it, and nothing went to the client. The attempt is still open.
        """
        question, exchange = self._question, self._question.exchange
        provider = self._upstream.provider
        call = self._call(provider)
        request = self._traced(provider.prepare(call))
        if self._flown is not None:
            self._flown.sends(request, call.protocol)
        self._is_sent = True
        exchange.is_asking = True
        try:
            found, reply = await self._ask(request)
        finally:
            exchange.is_asking = False
        exchange.answered_by = self.route
        exchange.waited_s = question.deadline.waited_s
        now = self._clock.monotonic()
        exchange.first_byte_s = now - exchange.started_at
        if self._flown is not None:
            self._flown.content_at = now
        _LOG.debug("the answer begins with status %d after %.3f s", reply.status, exchange.first_byte_s)
        headers = self._headers(reply)
        if isinstance(found, Begun):
            self._turnstile.vouch(self.lease)
            return self._relay(found, reply, headers)
        exchange.usage = found.usage or _estimated(len(found.body))
        exchange.progress = None
        self.close()  # the account is free before the client has read a byte
        return ReadyStream(found.body, headers) if found.is_stream else WholeAnswer(body=found.body, headers=headers)

    async def _ask(self, request: UpstreamRequest) -> tuple[Found, UpstreamReply]:
        question, provider = self._question, self._upstream.provider
        with question.deadline:
            reply = self._reply = await self._upstream.transport.send(request)
        self._status = reply.status
        if self._flown is not None:
            reply = self._reply = self._flown.hears(reply, self._clock.monotonic)
        opening = Opening(
            codec=question.codec,
            voice=question.voice,
            upstream_codec=self._upstream_codec(provider),
            provider=provider,
            envelope=question.envelope,
            options=self._options(),
            reply=reply,
            deadline=question.deadline,
            key=self.lease.account.api_key,
            names=self._names,
            show=question.exchange.show,
            choices=self._upstream_codec(provider).count_choices(request.body) if question.envelope.choices > 1 else 1,
        )
        return await opening.read(), reply

    def close(self, ending: GatewayError | str = "") -> None:
        """Close what is open upstream, free the account and note how it went; `ending` is empty when it went well."""
        if self._is_closed:
            return
        self._is_closed = True
        headers = self._answered
        if self._reply is not None:
            headers = self._reply.headers
            self._reply.close()
        kind = ending.kind if isinstance(ending, GatewayError) else ending
        usage = self._question.exchange.usage
        outcome = Outcome(
            error=ending if isinstance(ending, GatewayError) else None,
            is_success=not ending,
            tokens=_spent(usage, self.lease) if usage is not None and not ending else 0,
            headers=headers,
            is_unsent=not self._is_sent,
        )
        self._turnstile.leave(self.lease, outcome)
        now = self._clock.monotonic()
        self._question.exchange.attempts.append(
            AttemptRecord(
                account=self.lease.account.label,
                route=str(self.route),
                error_kind=kind,
                duration_s=now - self._started_at,
                started_at=self._started_at,
                status=self._status,
            )
        )
        if self._flown is not None:
            self._flown.ends(ending, now)

    def _traced(self, request: UpstreamRequest) -> UpstreamRequest:
        """With the span that this attempt will be told as, where upstreams are to know it."""
        trace = self._question.exchange.trace
        if trace is None or not trace.is_passed_on:
            return request
        number = len(self._question.exchange.attempts) + 1
        return msgspec.structs.replace(request, headers={**request.headers, **trace.headers(number)})

    def _call(self, provider: Provider) -> Call:
        envelope, profile = self._question.envelope, self._upstream.profile
        codec = self._upstream_codec(provider)
        is_understood = codec is self._question.codec and not (self._upstream.probed and refuses(profile))
        fields = envelope.fields if is_understood or codec.is_passed_on else self._translated(codec)
        return Call(
            account=self.lease.account,
            model=self.route.model,
            fields=apply_rules(fitted_fields(fields, profile), self.route.model, self._rules.parameters),
            is_stream=envelope.is_stream,
            protocol=codec.name,
            conversation=self._question.conversation,
            wants_usage=profile.stream_usage is not False,
        )

    def _upstream_codec(self, provider: Provider) -> Codec:
        """Raises InvalidRequest where the upstream has nothing of what was asked for."""
        codec = self._question.codec
        if not codec.is_passed_on:
            return self._codecs[provider.protocol]
        if codec.name not in provider.passes_on:
            raise InvalidRequest(
                f"`{provider.name}` has no endpoint for this.",
                hint="ask for a model of another provider",
                param="model",
            )
        return codec

    def _translated(self, codec: Codec) -> Mapping[str, Any]:
        """The request in the upstream's protocol, as this upstream takes it."""
        envelope = self._question.envelope
        request = self._question.codec.decode_request(envelope)
        fit = fitted(request, self._upstream.profile)
        self._names = fit.names
        fields = codec.encode_request(fit.request)
        notes = [*request.notes, *fit.notes]
        if self._rules.repairs_messages:
            envelope, repairs = codec.repair(msgspec.structs.replace(envelope, fields=fields, values=fields))
            fields = dict(envelope.fields)
            self._question.exchange.repairs = len(repairs)
        self._question.exchange.notes = tuple(notes)
        if not fields.get("messages", True):
            raise InvalidRequest("There is nothing in this request that could be answered.", param="messages")
        return fields

    def _options(self) -> EncodeOptions:
        return EncodeOptions(
            id=ids.completion_id(self._question.exchange.answer_id or self._question.exchange.request_id),
            created=int(self._clock.now()),
            model=self.route.model,
            shows_usage=self._question.envelope.wants_usage,
            asked=self._question.envelope.values,
            prompt_tokens=self._question.tokens,
            elapsed_s=lambda: self._clock.monotonic() - self._question.exchange.started_at,
            merges_reasoning=self._rules.merges_reasoning,
        )

    def _relay(self, begun: Begun, reply: UpstreamReply, headers: Mapping[str, str]) -> Relay:
        exchange, deadline = self._question.exchange, self._question.deadline
        pipe = begun.pipe  # and not `begun`, whose first frames would live as long as the stream
        exchange.progress = pipe

        def on_end(error: GatewayError | None, has_ended: bool) -> None:
            exchange.usage = pipe.usage or _estimated(pipe.characters)
            exchange.waited_s = deadline.waited_s
            if error is not None:
                exchange.error_kind = error.kind
            self._answered = reply.headers
            self._reply = None  # the relay may still want to read its end
            self.close(error or ("" if has_ended else CANCELLED))

        return Relay(
            voice=self._question.voice,
            reply=reply,
            deadline=deadline,
            pipe=pipe,
            ready=begun.ready,
            headers=headers,
            on_end=on_end,
        )

    def _headers(self, reply: UpstreamReply) -> dict[str, str]:
        """What the client may know: the upstream's rate limits and, unless turned off, who answered."""
        exchange = self._question.exchange
        headers = {
            name: value
            for name, value in reply.headers.items()
            if name.startswith("x-ratelimit-") and value.isprintable() and len(value) <= 100
        }
        if self._question.shortening:
            headers[COMPRESSED_HEADER] = self._question.shortening
        if self._rules.names_account:
            overhead_s = max(0.0, (exchange.first_byte_s or 0.0) - exchange.waited_s)
            headers["x-iflow2api-account"] = _header_safe(exchange.account)
            headers["x-iflow2api-route"] = _header_safe(exchange.route)
            headers["x-iflow2api-attempts"] = str(len(exchange.attempts) + 1)
            headers["x-iflow2api-overhead-ms"] = f"{overhead_s * 1000:.1f}"
            headers |= _changes(exchange)
        return headers


def _spent(usage: Usage, lease: Lease) -> int:
    """An estimate knows the answer only; what the prompt was thought to have stands."""
    return usage.total + (lease.tokens if usage.is_estimated else 0)


def _estimated(characters: int) -> Usage:
    return Usage(completion=estimate_tokens(characters), is_estimated=True)


def _changes(exchange: Exchange) -> dict[str, str]:
    """What was done to the request before anybody was asked."""
    headers = {}
    if exchange.described:
        headers["x-iflow2api-described"] = _header_safe(exchange.described)
    if exchange.repairs:
        headers["x-iflow2api-repaired"] = f"{exchange.repairs} {'change' if exchange.repairs == 1 else 'changes'}"
    if exchange.notes:
        headers["x-iflow2api-notes"] = _header_safe("; ".join(f"{note.path}: {note.what}" for note in exchange.notes))
    return headers


def _header_safe(text: str) -> str:
    """Printable ASCII, as header values must be."""
    if text.isascii() and text.isprintable():
        return text[:200]
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)[:200]
