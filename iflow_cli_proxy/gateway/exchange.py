"""One request from start to finish: limits, the attempt loop, and which error is told when no attempt was good.

Knows codecs, providers, transports and the pool only by their interfaces, and no web framework. Until an attempt has
shown content, nothing has gone to the client and the next attempt may follow; after that, never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import CredentialError, GatewayError, LoginRequired, NoAccountAvailable, Revoked
from iflow_cli_proxy.gateway.attempt import CANCELLED, OUR_BUG, AnswerRules, Attempt, Question, Upstream
from iflow_cli_proxy.gateway.deadline import Deadline, Limits
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.gateway.relay import Answer, Relay
from iflow_cli_proxy.gateway.renewal import NoRenewal, Renewal
from iflow_cli_proxy.gateway.retry import RetryBudget, RetryRules, Tries, most_useful, pause_before_retry
from iflow_cli_proxy.gateway.session import conversation_of
from iflow_cli_proxy.gateway.turnstile import Turnstile
from iflow_cli_proxy.gateway.verdict import advise
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.pool import Lease
from iflow_cli_proxy.protocols.base import Codec, Envelope, Inbound
from iflow_cli_proxy.routing.resolve import Route, RoutingTable, resolve

_TIMEOUT_HEADER: Final = "x-request-timeout"
_MOST_ROUTES: Final = 1024
_LONGEST_RENEWAL_S: Final = 20.0
"""A request waits no longer for a newer credential; the refresh itself goes on for the next one."""


@dataclass(frozen=True, kw_only=True)
class GatewayRules:
    """The settings a gateway obeys."""

    retry: RetryRules = field(default_factory=RetryRules)
    answer: AnswerRules = field(default_factory=AnswerRules)


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
    ) -> None:
        self.codecs = codecs
        self.upstreams = upstreams
        self.table = table
        self.turnstile = turnstile
        self.rules = rules
        self._budget = budget
        self._clock = clock
        self._chance = chance
        self._renewal = renewal or NoRenewal()
        self._routes: dict[str, Route] = {}
        """Names that were resolved already: catalogues do not change while a gateway lives."""

    async def answer(self, inbound: Inbound, exchange: Exchange) -> Answer:
        """The client's answer; a stream is past its commit point when it is returned.

        Raises:
            GatewayError: nothing good came of it. The caller words it in the client's protocol.
        """
        codec = self.codecs[inbound.protocol]
        envelope = codec.read_envelope(inbound)
        exchange.asked, exchange.is_stream = envelope.model, envelope.is_stream
        route = self._routes.get(envelope.model) or self._route(envelope.model)
        question = Question(
            codec=codec,
            envelope=envelope,
            conversation=conversation_of(inbound.headers, envelope.values),
            deadline=Deadline(self._limits(route, envelope, inbound)),
            exchange=exchange,
        )
        tries = Tries(forbids_ambiguous=inbound.headers.get("x-no-retry", "") not in ("", "0"))
        self._budget.first_attempt()
        answer: Answer | None = None
        try:
            answer = await self._try(question, route, tries)
            return answer
        finally:
            if not isinstance(answer, Relay):
                question.deadline.close()

    def _route(self, asked: str) -> Route:
        route = resolve(asked, self.table)[0]
        if len(self._routes) < _MOST_ROUTES:
            self._routes[asked] = route
        return route

    def _limits(self, route: Route, envelope: Envelope, inbound: Inbound) -> Limits:
        """The provider's limits; a client may shorten the total by a header, never lengthen it."""
        upstream = self.upstreams[route.provider]
        limits = upstream.stream_limits if envelope.is_stream else upstream.json_limits
        wish_s = _seconds(inbound.headers.get(_TIMEOUT_HEADER, ""))
        if wish_s is None or wish_s >= limits.total_s:
            return limits
        return replace(limits, total_s=wish_s, total_name=_TIMEOUT_HEADER, total_hint="ask for more in that header")

    async def _try(self, question: Question, route: Route, tries: Tries) -> Answer:
        """Attempt after attempt, until one is good or the rules allow no more."""
        while True:
            try:
                return await self._attempt(question, route, tries)
            except GatewayError as error:
                if await self._has_newer(error, question, tries):
                    continue
                pause_s = self._pause_before_next(error, question, route, tries)
                if pause_s is None:
                    told = most_useful([*tries.failures.values()] or [error])
                    if told is error:
                        raise
                    raise told from error
            await asyncio.sleep(pause_s)

    async def _attempt(self, question: Question, route: Route, tries: Tries) -> Answer:
        deadline = question.deadline
        upstream = self.upstreams[route.provider]
        if upstream.needs_login:
            raise LoginRequired(
                f"Every account of `{route.provider}` needs a new sign-in.", hint=f"iflow2api login {route.provider}"
            )
        rest_s = upstream.rests_until - self._clock.monotonic()
        if rest_s > 0:
            raise NoAccountAvailable(
                f"The sign-in of `{route.provider}` cannot be refreshed just now; it is tried again soon.",
                retry_after_s=rest_s,
            )
        question.exchange.is_queued = True
        try:
            lease = await self.turnstile.enter(
                route.provider,
                self._last_choices(route.provider, tries),
                wanted=tries.renewed_now,
                patience_s=deadline.remaining_s(),
            )
        finally:
            question.exchange.is_queued = False
        tries.renewed_now = ""
        if lease.account.fresh_until <= self._clock.monotonic():
            lease = await self._with_newer(lease, deadline)
        deadline.restart()  # the time in the queue was not the upstream's
        tries.attempts += 1
        attempt = Attempt(
            question,
            route=route,
            lease=lease,
            turnstile=self.turnstile,
            upstream=upstream,
            codecs=self.codecs,
            rules=self.rules.answer,
            clock=self._clock,
        )
        tries.account = lease.account
        try:
            return await attempt.run()
        except GatewayError as error:
            advise(error, upstream.provider)
            tries.failures.pop(lease.account.id, None)
            tries.failures[lease.account.id] = error
            attempt.close(error)
            raise
        except asyncio.CancelledError:
            attempt.close(CANCELLED)
            raise
        except BaseException:
            attempt.close(OUR_BUG)
            raise

    def _last_choices(self, provider: str, tries: Tries) -> Collection[str]:
        """Accounts that have failed, and while there are better ones those that would have to be renewed first."""
        now = self._clock.monotonic()
        untried = [
            one.account for one in self.turnstile.pool.standings(provider) if one.account.id not in tries.failures
        ]
        stale = [account.id for account in untried if account.fresh_until <= now]
        return {*tries.failures, *stale} if 0 < len(stale) < len(untried) else tries.failures

    async def _with_newer(self, lease: Lease, deadline: Deadline) -> Lease:
        """The same lease with a bearer that does not end in the next moments, or as it is when there is none."""
        try:
            newer = await self._renewed(lease.account, deadline)
        except TimeoutError:
            return lease
        except BaseException:
            self.turnstile.leave(lease)
            raise
        return Lease(newer, lease.standing) if newer is not None else lease

    async def _has_newer(self, error: GatewayError, question: Question, tries: Tries) -> bool:
        """Whether a refused bearer was renewed, so that the same account is tried again at once (F37).

        Once for each account and exchange; an account that cannot be renewed, or is refused again, is noted (F38). It
        is renewed even when this exchange has no attempt left: the next one has the newer bearer.
        """
        account = tries.account
        if not isinstance(error, CredentialError) or account is None:
            return False
        newer: Account | None = None
        if account.id not in tries.renewed and not isinstance(error, Revoked):
            tries.renewed.add(account.id)
            try:
                newer = await self._renewed(account, question.deadline)
            except TimeoutError:
                return False  # the refresh goes on, and says of the account what is to be said
        if newer is None:
            tries.account_is_out = self._renewal.note_refused(account, error)
            return False
        if question.exchange.is_committed or tries.attempts >= self.rules.retry.max_attempts:
            return False
        tries.failures.pop(account.id, None)
        tries.renewed_now = account.id
        return True

    async def _renewed(self, account: Account, deadline: Deadline) -> Account | None:
        """Raises TimeoutError when it takes longer than a request waits."""
        async with asyncio.timeout(min(_LONGEST_RENEWAL_S, max(0.0, deadline.remaining_s()))):
            return await self._renewal.renew(account)

    def _pause_before_next(self, error: GatewayError, question: Question, route: Route, tries: Tries) -> float | None:
        """Seconds until the next attempt, None when `error` was the last word."""
        has_other = self.turnstile.pool.others(route.provider, tries.failures) > 0
        pause_s = pause_before_retry(error, tries, self.rules.retry, has_other_account=has_other, chance=self._chance())
        if pause_s is None or question.exchange.is_committed or pause_s >= question.deadline.remaining_s():
            return None
        # An account that has just left the pool fails nobody again, so there is no storm to hold back.
        if not tries.account_is_out and not self._budget.allows_retry(self._clock.monotonic()):
            return None
        tries.account_is_out = False
        tries.ambiguous += error.is_ambiguous
        tries.on_same += not has_other
        return pause_s


def _seconds(text: str) -> float | None:
    """A positive number of seconds, None when `text` is nothing of the kind."""
    if not text:
        return None
    try:
        value = float(text[:32])
    except ValueError:
        return None
    return value if isfinite(value) and value > 0 else None
