"""The books of a sign-in server: who holds which tokens, which of them were replaced, and when they end.

Knows lifetimes and rotation (RFC 6749, section 6; RFC 9700, section 4.14.2). Refuses to know HTTP and which vendor is
played.
"""

from __future__ import annotations

from dataclasses import dataclass

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.core.jsonx import Json


@dataclass(kw_only=True)
class Rules:
    """How the sign-in servers behave; may be changed while they run."""

    token_lifetime_s: float = 0.0
    """Of access tokens; 0: the vendor's own."""
    rotates: bool = True
    """A refresh brings a new refresh token, and the old one dies."""
    reuse_window_s: float = 10.0
    """How long a refresh token that was used brings the same answer again; 0: not at all."""
    revokes_reused: bool = False
    """One that is used after that takes the tokens down that replaced it."""
    says_invalid_grant: bool = False
    """What iFlow says to a dead refresh token; the vendor says the same as under load."""
    renews_keys: bool = False
    """iFlow: a refresh brings a new API key too, and the old one has expired."""
    approves_by_itself: bool = False
    """Nobody has to press a button."""
    device_lifetime_s: float = 900.0
    poll_interval_s: int = 5
    slow_s: float = 3.0
    """How long the fault `slow` takes."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What a token endpoint hands out."""

    person: str
    access_token: str
    refresh_token: str
    """Empty when the old one goes on."""
    lifetime_s: float

    @property
    def fields(self) -> dict[str, Json]:
        """Those that every vendor's answer has."""
        renewed = {"refresh_token": self.refresh_token} if self.refresh_token else {}
        lifetime_s = self.lifetime_s if self.lifetime_s % 1 else int(self.lifetime_s)
        return {"access_token": self.access_token, **renewed, "expires_in": lifetime_s}


class Tokens:
    """All tokens of one vendor. Instants are monotonic seconds."""

    def __init__(self, rules: Rules, clock: Clock, entropy: Entropy, *, vendor_lifetime_s: float) -> None:
        self._rules = rules
        self._clock = clock
        self._entropy = entropy
        self._vendor_lifetime_s = vendor_lifetime_s
        self._access: dict[str, tuple[str, float]] = {}
        """Access token: whose it is, and when it ends."""
        self._live: dict[str, str] = {}
        """Refresh token: whose it is."""
        self._replaced: dict[str, tuple[Pair, float]] = {}
        """Dead refresh token: what came instead, and when."""

    def sign_in(self, person: str) -> Pair:
        return self._issue(person, is_new=True)

    def refresh(self, token: str) -> Pair | None:
        """New tokens for a refresh token; None when it is dead."""
        person = self._live.get(token)
        if person is None:
            return self._again(token)
        pair = self._issue(person, is_new=self._rules.rotates)
        if pair.refresh_token:
            del self._live[token]
            self._replaced[token] = pair, self._clock.monotonic()
        return pair

    def person_of(self, access_token: str) -> str | None:
        """Whose it is; None when it has ended or never was."""
        person, ends_at = self._access.get(access_token, ("", 0.0))
        return person if person and self._clock.monotonic() < ends_at else None

    def is_live(self, refresh_token: str) -> bool:
        return refresh_token in self._live

    def end_access(self) -> None:
        """As if the time of every access token had come."""
        self._access.clear()

    def revoke(self, person: str) -> None:
        """As if this person had signed out everywhere."""
        self._access = {token: held for token, held in self._access.items() if held[0] != person}
        self._live = {token: holder for token, holder in self._live.items() if holder != person}

    def _issue(self, person: str, *, is_new: bool) -> Pair:
        lifetime_s = self._rules.token_lifetime_s or self._vendor_lifetime_s
        pair = Pair(
            person=person,
            access_token=f"at-demo-{self._entropy(16).hex()}",
            refresh_token=f"rt-demo-{self._entropy(16).hex()}" if is_new else "",
            lifetime_s=lifetime_s,
        )
        self._access[pair.access_token] = person, self._clock.monotonic() + lifetime_s
        if is_new:
            self._live[pair.refresh_token] = person
        return pair

    def _again(self, token: str) -> Pair | None:
        """The answer that may have been lost on the way, within the window and while nobody has used it."""
        if token not in self._replaced:
            return None
        pair, replaced_at = self._replaced[token]
        is_within = self._clock.monotonic() - replaced_at < self._rules.reuse_window_s
        if is_within and self.is_live(pair.refresh_token):
            return pair
        if self._rules.revokes_reused and not is_within:
            while token in self._replaced:
                token = self._replaced[token][0].refresh_token
            self._live.pop(token, None)
        return None
