"""The client keys of keys.toml as the running server knows them, and what each has used.

Looks at the file every second, off the event loop; while it cannot be read, what was known goes on. Refuses to know
headers (`middleware/client_auth.py`) and the arithmetic of limits (`pool/allowance.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Final

from iflow_cli_proxy.core.clock import Clock, SystemClock
from iflow_cli_proxy.core.errors import CapacityError, GatewayError, QuotaExhausted, RateLimited
from iflow_cli_proxy.core.spans import span
from iflow_cli_proxy.core.usage import estimate_tokens
from iflow_cli_proxy.gateway.record import Exchange
from iflow_cli_proxy.pool.allowance import Admission, Allowances, Limit, Refusal
from iflow_cli_proxy.pool.client_key import ClientKey
from iflow_cli_proxy.state.atomic import Stamp
from iflow_cli_proxy.state.keys import KeyFile, Loaded

_LOG: Final = logging.getLogger("iflow2api.keys")
LOOK_EVERY_S: Final = 1.0


class KeyBook:
    """One for each server, in its event loop; without a file it has no keys."""

    def __init__(
        self,
        file: KeyFile | None = None,
        *,
        clock: Clock | None = None,
        cost_of: Callable[[Exchange], float] = lambda _: 0.0,
    ) -> None:
        """`cost_of` tells what an exchange cost, in US dollars."""
        self.allowances = Allowances()
        self.keys: tuple[ClientKey, ...] = ()
        self._file = file
        self._clock = clock or SystemClock()
        self._cost_of = cost_of
        self._by_digest: dict[bytes, tuple[ClientKey, float]] = {}
        """Every secret that may open the door, and until when it does."""
        self._stamp: Stamp | None = None
        self._complaint = ""

    def open(self) -> None:
        """Read the file for the first time. Blocks.

        Raises:
            StateError: it is damaged; a server does not begin without the keys that were meant.
        """
        if self._file is not None:
            self._stamp, loaded = _read(self._file)
            self._put_in_force(loaded)

    async def run(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        while True:
            await sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Take up the file when it has changed; counts go on, and so do requests that were let in."""
        if self._file is None or await asyncio.to_thread(self._file.stamp) == self._stamp:
            return
        try:
            self._stamp, loaded = await asyncio.to_thread(_read, self._file)
        except GatewayError as error:
            self._complain(error.message)
            return
        self._complaint = ""
        self._put_in_force(loaded)
        _LOG.info("client keys taken up: %d in the file", len(self.keys))

    def find(self, digest: bytes) -> ClientKey | None:
        """The key of a secret, whether or not it may be used at this moment."""
        key, until = self._by_digest.get(digest, (None, 0.0))
        return key if self._clock.now() < until else None

    def names_in_use(self) -> tuple[str, ...]:
        """Of the keys that may be used at this moment."""
        now = self._clock.now()
        return tuple(key.name for key in self.keys if key.is_usable(now))

    def admit(self, key: ClientKey, tokens: int, *, is_running: bool) -> Admission:
        """Let a request of `tokens`, as estimated, in.

        Raises:
            RateLimited: too many or too much in a minute, or at one time.
            QuotaExhausted: the budget is used up.
        """
        done = self.allowances.admit(key, self._clock.monotonic(), self._clock.now(), tokens, is_running=is_running)
        if isinstance(done, Refusal):
            raise _told(key, done)
        return done

    def settle(self, admission: Admission, exchange: Exchange) -> None:
        """The request has ended, however; one that never went out has used nothing."""
        if exchange.attempts or exchange.requests_beside:
            now, wall = self._clock.monotonic(), self._clock.now()
            tokens, cost = _used(exchange, admission.tokens), self._cost_of(exchange)
            self.allowances.settle(admission, now, wall, tokens, cost, further_requests=exchange.requests_beside)
        else:
            self.allowances.release(admission)

    def _put_in_force(self, loaded: Loaded) -> None:
        known = {key.name: key for key in self.keys}
        for key in loaded.keys:
            if key.name in known and _is_another(key, known[key.name]):
                self.allowances.forget(key.name)
        self.keys = loaded.keys
        self._by_digest = {old.digest: (key, old.until) for key in loaded.keys for old in key.retiring}
        self._by_digest |= {key.digest: (key, inf) for key in loaded.keys}
        names = {key.name for key in loaded.keys}
        self.allowances.forget_others(names, self._clock.monotonic(), self._clock.now())
        if loaded.unknown:
            _LOG.warning("keys.toml says what means nothing here, and limits nobody: %s", _listed(loaded.unknown))

    def _complain(self, text: str) -> None:
        """Once for each reason in a row."""
        if text != self._complaint:
            self._complaint = text
            _LOG.error("the client keys stay as they were: %s", text)


def _read(file: KeyFile) -> tuple[Stamp | None, Loaded]:
    """The stamp is the older of the two: what changes meanwhile is seen at the next look."""
    stamp = file.stamp()
    return stamp, file.load()


def _used(exchange: Exchange, estimated: int) -> int:
    """The tokens to count; where the upstream reported none, what went in is taken from the request's size.

    An answer that never began used nothing that anybody could know of. A body in chunks declared no size, so what was
    read of it goes before what was estimated.
    """
    prompt = estimate_tokens(exchange.bytes_in) if exchange.bytes_in else estimated
    beside = exchange.usage_beside.total
    if exchange.usage is None:
        return beside + (0 if exchange.first_byte_s is None else prompt)
    return beside + exchange.usage.total + (prompt if exchange.usage.is_estimated else 0)


def _is_another(key: ClientKey, before: ClientKey) -> bool:
    """Whether a key only has the name of one that was there before; a new secret makes no new key."""
    has_come_back = before.revoked_at is not None and key.revoked_at is None
    return has_come_back or key.created_at != before.created_at


def _told(key: ClientKey, refusal: Refusal) -> CapacityError:
    hint = f"try again in {span(max(1.0, refusal.frees_in_s))}"
    if refusal.limit is Limit.BUDGET:
        text = f"The budget of this client key, {key.budget}, is used up."
        return QuotaExhausted(text, hint=hint, retry_after_s=refusal.frees_in_s)
    limit = {
        Limit.RPM: f"requests a minute ({key.rpm:,})",
        Limit.TPM: f"tokens a minute ({key.tpm:,})",
        Limit.CONCURRENCY: f"requests at one time ({key.concurrency:,})",
    }[refusal.limit]
    return RateLimited(
        f"This client key has reached its limit of {limit}.", hint=hint, retry_after_s=refusal.frees_in_s
    )


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")
