"""The attempts of one exchange: route after route, account after account, until one is good or the rules allow no more.

Until an attempt has shown content, nothing has gone to the client and the next one may follow; after that, never. What
may follow is decided in `retry.py`, who may be called in the pool; this module only does it, in order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import (
    ContextOverflow,
    CredentialError,
    GatewayError,
    QuotaExhausted,
    RateLimited,
    Revoked,
)
from iflow_cli_proxy.gateway.attempt import CANCELLED, OUR_BUG, AnswerRules, Attempt, Question, Upstream
from iflow_cli_proxy.gateway.entry import known_as, refuse_without_sign_in
from iflow_cli_proxy.gateway.relay import Answer
from iflow_cli_proxy.gateway.renewal import Renewal
from iflow_cli_proxy.gateway.retry import Next, RetryBudget, RetryRules, Tries, next_try, routes_after
from iflow_cli_proxy.gateway.rewording import shortened
from iflow_cli_proxy.gateway.turnstile import LONGEST_SLEEP_S, Turnstile
from iflow_cli_proxy.gateway.verdict import advise
from iflow_cli_proxy.gateway.vision import VisionBridge, sees_nothing
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.pool.outcome import UNSENT
from iflow_cli_proxy.pool.pool import Lease, Prospect
from iflow_cli_proxy.pool.rest import LONGEST_SPREAD_S
from iflow_cli_proxy.pool.wish import Wish
from iflow_cli_proxy.protocols.base import Codec, Envelope
from iflow_cli_proxy.routing.catalog import Model
from iflow_cli_proxy.routing.resolve import Route, RoutingTable

_LOG: Final = logging.getLogger("iflow2api.gateway")
_LONGEST_RENEWAL_S: Final = 20.0
"""A request waits no longer for a newer credential; the refresh itself goes on for the next one."""
_WORTH_TELLING_S: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class Means:
    """What every attempt of a gateway is made with."""

    codecs: Mapping[str, Codec]
    upstreams: Mapping[str, Upstream]
    table: RoutingTable
    turnstile: Turnstile
    retry: RetryRules
    answer: AnswerRules
    budget: RetryBudget
    clock: Clock
    chance: Callable[[], float]
    """Uniform in [0, 1)."""
    renewal: Renewal
    bridge: VisionBridge | None = None
    """Describes images to models that see none; None: nobody does."""


class Course:
    """Used once, by the task that serves the request."""

    def __init__(self, means: Means, question: Question, routes: tuple[Route, ...], tries: Tries) -> None:
        self._means = means
        self._question = question
        self._left = routes
        """The route under way, then those that may follow it."""
        self._tries = tries
        self._has_overflowed = False
        """A prompt was too long and is tried once more, shortened as far as may be."""

    async def run(self) -> Answer:
        """The first good answer. Raises GatewayError: the most useful of all that was said."""
        self._begin_where_there_is_room()
        while True:
            sent = self._tries.attempts
            try:
                return await self._attempt(self._left[0])
            except GatewayError as error:
                was_sent = self._tries.attempts > sent
                if was_sent and await self._has_newer(error):
                    self._tell("its credential was renewed", error)
                    continue
                if self._may_shorten(error):
                    self._tell("the prompt was shortened", error, was_sent=was_sent)
                    continue
                onward = routes_after(error, self._left, self._means.table)
                step = self._next(error, has_other_route=bool(onward), was_sent=was_sent)
                if step is None:
                    now = self._means.turnstile.now()
                    told = self._tries.to_tell(self._left[0], error, was_sent=was_sent, now=now)
                    if told is error:
                        raise
                    raise told from error
                self._tell(self._words_for(step, onward), error, was_sent=was_sent)
                if step.changes_route:
                    self._tries.leave_route(self._left[0], error, was_sent=was_sent)
                    self._tries.renewed_now = ""
                    self._left = onward
            if step.pause_s:
                await asyncio.sleep(step.pause_s)

    def _begin_where_there_is_room(self) -> None:
        """Of several providers that list the model the first that has room goes first; nobody queues beside an open
        door. Fallbacks are for failures, not for haste."""
        turnstile = self._means.turnstile
        listed = [route for route in self._left if not route.is_fallback]
        if len(listed) < 2:
            return
        first = next((route for route in listed if turnstile.has_room(self._wish(route))), listed[0])
        if first is not self._left[0]:
            if (flight := self._question.exchange.flight) is not None:
                flight.remarks.append(f"{first} goes first: it has room just now.")
            self._left = (first, *(route for route in self._left if route is not first))

    # --- one attempt ----------------------------------------------------------------------------------------------

    async def _attempt(self, route: Route) -> Answer:
        tries, means = self._tries, self._means
        upstream = means.upstreams[route.provider]
        question = await self._fitted(route, upstream)
        lease = await self._lease(route, upstream)
        question.deadline.restart()  # the time in the queue was not the upstream's
        tries.attempts += 1
        _LOG.debug("attempt %d: %s as %s", tries.attempts, route, lease.account.label)
        attempt = Attempt(
            question,
            route=route,
            lease=lease,
            turnstile=means.turnstile,
            upstream=upstream,
            codecs=means.codecs,
            rules=means.answer,
            clock=means.clock,
        )
        tries.account = lease.account
        try:
            return await attempt.run()
        except GatewayError as error:
            advise(error, upstream.provider)
            _LOG.debug("attempt %d failed: %s: %s", tries.attempts, error.kind, error.message)
            tries.failures.pop(lease.account.id, None)
            tries.failures[lease.account.id] = error
            attempt.close(error)
            self._note_rest(lease, error)
            raise
        except asyncio.CancelledError:
            attempt.close(CANCELLED)
            raise
        except BaseException:
            attempt.close(OUR_BUG)
            raise

    async def _fitted(self, route: Route, upstream: Upstream) -> Question:
        """The question as this route's model can take it. Before a lease is held: a model that describes images may
        want the same account."""
        question, means = self._question, self._means
        catalog = upstream.provider.catalog
        is_blind = upstream.profile.images is False or sees_nothing(catalog, route.model)
        if means.bridge is not None and is_blind:
            bridged = await means.bridge.bridged(question.codec, question.envelope)
            question = msgspec.structs.replace(question, envelope=bridged.envelope)
        found = self._shortened(question, catalog.split(route.model)[0]) if means.answer.keeps_rounds else None
        if found is None:
            return question
        return msgspec.structs.replace(question, envelope=found[0], shortening=found[1])

    def _shortened(self, question: Question, model: Model | None = None) -> tuple[Envelope, str] | None:
        return shortened(
            question.envelope,
            question.codec,
            window_tokens=model.context_tokens if model else 0,
            output_tokens=model.output_tokens if model else 0,
            keep_rounds=self._means.answer.keeps_rounds,
            has_overflowed=self._has_overflowed,
        )

    async def _lease(self, route: Route, upstream: Upstream) -> Lease:
        refuse_without_sign_in(route, upstream, self._means.clock.monotonic())
        question, tries, turnstile = self._question, self._tries, self._means.turnstile
        began_at = turnstile.now()
        try:
            lease = await turnstile.enter(
                self._wish(route),
                client=question.exchange.client,
                patience_s=max(0.0, min(question.deadline.remaining_s(), turnstile.timeout_s - tries.queued_s)),
                has_elsewhere=len(self._left) > 1,
            )
        finally:
            waited_s = turnstile.now() - began_at
            tries.queued_s += waited_s
            if waited_s > _WORTH_TELLING_S:
                _LOG.debug("waited %.2f s for an account of %s", waited_s, route.provider)
        tries.renewed_now = ""
        if lease.account.fresh_until > self._means.clock.monotonic():
            return lease
        return await self._with_newer(lease)

    def _wish(self, route: Route) -> Wish:
        question, tries = self._question, self._tries
        model, is_listed = known_as(route.model, self._means.upstreams[route.provider].provider.catalog)
        return Wish(
            provider=route.provider,
            model=model,
            is_listed=is_listed,
            tried=tries.out if tries.repeats or not tries.failures else tries.tried,
            wanted=tries.renewed_now,
            session=question.session,
            allowed=question.allowed,
            pool=question.pool,
            tokens=question.tokens,
        )

    def _note_rest(self, lease: Lease, error: GatewayError) -> None:
        """The client is told how long the account rests, which may be less or more than its upstream asked for."""
        turnstile = self._means.turnstile
        now = turnstile.now()
        until = turnstile.pool.asked_to_rest_until(lease, now)
        said_s = error.retry_after_s
        if until is None or (said_s is None and not isinstance(error, RateLimited | QuotaExhausted)):
            return
        if said_s is None or not now - 1.0 <= until - said_s <= now + LONGEST_SPREAD_S:
            self._tries.rests.append((error, until))

    async def _with_newer(self, lease: Lease) -> Lease:
        """The same lease with a bearer that does not end in the next moments, or as it is when there is none."""
        try:
            newer = await self._renewed(lease.account)
        except TimeoutError:
            return lease
        except BaseException:
            self._means.turnstile.leave(lease, UNSENT)
            raise
        return msgspec.structs.replace(lease, account=newer) if newer is not None else lease

    # --- what follows a failure -----------------------------------------------------------------------------------

    def _tell(self, why: str, error: GatewayError, *, was_sent: bool = True) -> None:
        """Why it goes on after `error`, for the log and the flight recorder."""
        _LOG.debug("going on: %s", why)
        if (flight := self._question.exchange.flight) is not None:
            flight.goes_on(why, self._left[0], error, was_sent=was_sent)

    def _words_for(self, step: Next, onward: tuple[Route, ...]) -> str:
        if step.changes_route:
            return f"on to {onward[0]}"
        where = "the same account again" if self._tries.repeats else "another account"
        return f"{where}, after {step.pause_s:.2g} s" if step.pause_s else where

    def _may_shorten(self, error: GatewayError) -> bool:
        """Once, where no larger window is at hand and the settings allow it."""
        if not isinstance(error, ContextOverflow) or self._has_overflowed or not self._means.answer.keeps_rounds:
            return False
        if routes_after(error, self._left, self._means.table) or self._question.exchange.is_committed:
            return False
        if self._tries.attempts >= self._means.retry.max_attempts:
            return False
        self._has_overflowed = True
        self._tries.failures.clear()
        return self._shortened(self._question) is not None  # else the same prompt would be sent twice

    def _next(self, error: GatewayError, *, has_other_route: bool, was_sent: bool) -> Next | None:
        """The next attempt, None when `error` was the last word."""
        question, tries, means = self._question, self._tries, self._means
        # Where nobody was asked every account of this route has been considered.
        others = self._others() if was_sent else "never"
        judge = partial(
            next_try, error, tries, means.retry, has_other_route=has_other_route, chance=means.chance()
        )  # fmt: skip
        step, repeats = judge(has_other_account=others == "soon"), others != "soon"
        if step is None and others == "later":
            step, repeats = judge(has_other_account=True), False
        if step is not None and not was_sent and not step.changes_route:
            return None  # nothing has changed: the same would be met for ever
        if step is None or question.exchange.is_committed or step.pause_s >= question.deadline.remaining_s():
            return None
        # Nobody was asked, or an account has just left the pool and fails nobody again: there is no storm to hold back.
        is_free = step.is_free or tries.account_is_out or not was_sent
        if not is_free and not means.budget.allows_retry(means.clock.monotonic()):
            return None
        tries.account_is_out = False
        tries.ambiguous += error.is_ambiguous
        tries.repeats = repeats and not step.changes_route
        tries.on_same += tries.repeats
        return step

    def _others(self) -> Prospect:
        """Of accounts of this route that were not tried yet."""
        turnstile = self._means.turnstile
        wish = msgspec.structs.replace(self._wish(self._left[0]), tried=self._tries.tried)
        return turnstile.pool.prospect(wish, turnstile.now(), LONGEST_SLEEP_S)

    async def _has_newer(self, error: GatewayError) -> bool:
        """Whether a refused bearer was renewed, so that the same account is tried again at once (F37).

        Once for each account and exchange; an account that cannot be renewed, or is refused again, is noted (F38). It
        is renewed even when this exchange has no attempt left: the next one has the newer bearer.
        """
        tries, account = self._tries, self._tries.account
        if not isinstance(error, CredentialError) or account is None:
            return False
        newer: Account | None = None
        if account.id not in tries.renewed and not isinstance(error, Revoked):
            tries.renewed.add(account.id)
            try:
                newer = await self._renewed(account)
            except TimeoutError:
                return False  # the refresh goes on, and says of the account what is to be said
        if newer is None:
            tries.account_is_out = self._means.renewal.note_refused(account, error)
            return False
        if self._question.exchange.is_committed or tries.attempts >= self._means.retry.max_attempts:
            return False
        tries.failures.pop(account.id, None)
        tries.renewed_now = account.id
        return True

    async def _renewed(self, account: Account) -> Account | None:
        """Raises TimeoutError when it takes longer than a request waits."""
        async with asyncio.timeout(min(_LONGEST_RENEWAL_S, max(0.0, self._question.deadline.remaining_s()))):
            return await self._means.renewal.renew(account)
