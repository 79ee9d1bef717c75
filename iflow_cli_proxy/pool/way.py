"""One model on one account: whether it rests, how it went last, how fast it may be asked.

The empty model stands for the account as a whole. Refuses to know other models, breakers and how many requests run.
"""

from __future__ import annotations

from math import inf

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.pool.breaker import too_many
from iflow_cli_proxy.pool.pace import Pace
from iflow_cli_proxy.pool.rest import Rest, RestReason, begin_rest
from iflow_cli_proxy.pool.rules import PoolRules


class Way:
    """Its rest, once over, still stands until a trial has gone well."""

    __slots__ = ("_again", "failed_at", "failures", "is_listed", "model", "pace", "rest", "trial")

    def __init__(self, model: str, *, is_listed: bool = False) -> None:
        self.model = model
        self.is_listed = is_listed
        """A catalogue has it: there are only so many of those."""
        self.rest: Rest | None = None
        self.trial = 0
        """Ticket of the lease that is out as a trial; 0 for none."""
        self.failures = 0
        """In a row."""
        self.failed_at = -inf
        self.pace = Pace()
        self._again = 0
        """How many rests without a success between them."""

    @property
    def worth(self) -> tuple[bool, float, bool]:
        """By how much it would be missed: for a limit or a rest until its end, then for failures."""
        until = max(self.rest.until if self.rest is not None else -inf, self.pace.matters_until)
        return self.rest is not None or self.pace.is_limited, until, self.failures > 0

    def opens_at(self, now: float) -> float:
        """When the next request may pass; `inf` while a trial is out."""
        if self.rest is None:
            return now
        return inf if self.trial else self.rest.until

    def went_well(self, ticket: int, now: float) -> None:
        """Ends a rest for failures at once, any other when its time is over."""
        self.release(ticket)
        self.failures = 0
        if self.rest is None or self.rest.until <= now or self.rest.reason is RestReason.FAILING:
            self.rest = None
            self.trial = 0
            self._again = 0

    def went_wrong(
        self, ticket: int, now: float, account_id: str, rules: PoolRules, chance: float, running: int = 0
    ) -> None:
        """A fault while `running` others are under way: it rests when there were too many in a row, or when it was on
        trial."""
        was_trial = self.trial == ticket
        self.release(ticket)
        self.failures += 1
        self.failed_at = now
        if self.rest is not None and (self.rest.until > now or not was_trial):
            return  # one that began before the rest did, or was let through before its time
        if rules.cool_down_s and (was_trial or self.failures >= too_many(rules.failure_threshold, running)):
            said = f"{self.failures} failures in a row"
            self.rest = begin_rest(
                RestReason.FAILING, now, rules, account_id=account_id, model=self.model, again=self._again,
                chance=chance, detail=said,
            )  # fmt: skip
            self._again += 1

    def was_told_to_rest(
        self, reason: RestReason, error: GatewayError, now: float, account_id: str, rules: PoolRules, chance: float
    ) -> None:
        """A refusal. What an upstream asks for outdoes failures, and of two wishes the one that ends later holds."""
        rest = begin_rest(
            reason, now, rules, account_id=account_id, model=self.model, hint_s=error.retry_after_s,
            again=self._again, chance=chance, detail=error.message,
        )  # fmt: skip
        if rest.until <= now:
            return  # a rest of no length would only let one request through at a time
        old = self.rest if self.rest is not None and self.rest.until > now else None
        if old is None:
            self._again += 1
        elif error.retry_after_s is None or (old.reason is not RestReason.FAILING and old.until >= rest.until):
            return  # many that were under way at one time are refused for one reason
        self.rest = rest

    def release(self, ticket: int) -> None:
        """A trial ended, with or without a verdict."""
        if self.trial == ticket:
            self.trial = 0
