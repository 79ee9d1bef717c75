"""What a person has allowed and a program has not fetched yet: authorization codes and device codes, bound by PKCE.

Knows how long they hold and that each works once (RFC 6749, RFC 7636, RFC 8628). Refuses to know HTTP.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.demo.faults import Plain
from iflow_cli_proxy.demo.mishaps import oauth_error
from iflow_cli_proxy.demo.pages import DEFAULT_ACCOUNT
from iflow_cli_proxy.demo.tokens import Rules

_CODE_LIFETIME_S: Final = 600.0
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels and nothing that looks like another (RFC 8628, section 6.1)."""
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def challenge_of(verifier: str) -> str:
    """By S256."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def is_challenge(text: str, method: str) -> bool:
    return method == "S256" and _CHALLENGE.fullmatch(text) is not None


def _fits(verifier: str, challenge: str) -> bool:
    """Whoever asked without a challenge needs no verifier."""
    return not challenge or hmac.compare_digest(challenge_of(verifier), challenge)


@dataclass(frozen=True)
class _Code:
    person: str
    redirect: str
    challenge: str
    ends_at: float


class Codes:
    """Authorization codes."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._codes: dict[str, _Code] = {}

    def issue(self, person: str, redirect: str, challenge: str = "") -> str:
        code = f"code-demo-{self._entropy(16).hex()}"
        self._codes[code] = _Code(person, redirect, challenge, self._clock.monotonic() + _CODE_LIFETIME_S)
        return code

    def redeem(self, code: str, redirect: str, verifier: str = "") -> str | None:
        """Whose it is; None when it is used, too old, or somebody else's. After this it is used."""
        held = self._codes.pop(code, None)
        if held is None or held.redirect != redirect or self._clock.monotonic() >= held.ends_at:
            return None
        return held.person if _fits(verifier, held.challenge) else None


@dataclass(kw_only=True)
class Device:
    """A program that waits for its person."""

    challenge: str
    ends_at: float
    person: str = ""
    """Empty until somebody has approved."""
    is_refused: bool = False


class Devices:
    """Device codes, and the user codes by which people find them."""

    def __init__(self, rules: Rules, clock: Clock, entropy: Entropy) -> None:
        self._rules = rules
        self._clock = clock
        self._entropy = entropy
        self._devices: dict[str, Device] = {}
        self._by_user_code: dict[str, Device] = {}

    def begin(self, page: str, challenge: str = "", *, client: str = "") -> dict[str, object]:
        """The answer to a device request; `page` is where people type the code."""
        device_code, user_code = f"dc-demo-{self._entropy(16).hex()}", self._user_code()
        device = Device(challenge=challenge, ends_at=self._clock.monotonic() + self._rules.device_lifetime_s)
        self._devices[device_code] = self._by_user_code[user_code] = device
        return {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={user_code}{f'&client={client}' if client else ''}",
            "expires_in": int(self._rules.device_lifetime_s),
            "interval": self._rules.poll_interval_s,
        }

    def waiting(self, user_code: str) -> Device | None:
        """The one a person may decide about."""
        device = self._by_user_code.get(user_code.strip().upper())
        if device is None or device.person or device.is_refused or self._clock.monotonic() >= device.ends_at:
            return None
        return device

    def poll(self, device_code: str, verifier: str = "") -> str | Plain:
        """The person who has approved, once; before that, the answer to give."""
        device = self._devices.get(device_code)
        if device is None:
            return oauth_error(401, "invalid_request", "the device code is not known, or was used")
        if not _fits(verifier, device.challenge):
            return oauth_error(400, "invalid_grant", "the verifier does not fit the challenge")
        if device.is_refused:
            return oauth_error(400, "access_denied", "the person said no")
        if self._clock.monotonic() >= device.ends_at:
            return oauth_error(400, "expired_token", "the device code is too old")
        if self._rules.approves_by_itself and not device.person:
            device.person = DEFAULT_ACCOUNT
        if not device.person:
            return oauth_error(400, "authorization_pending")
        del self._devices[device_code]
        return device.person

    def _user_code(self) -> str:
        number = int.from_bytes(self._entropy(8), "big")
        letters = [_LETTERS[number // len(_LETTERS) ** place % len(_LETTERS)] for place in range(8)]
        return f"{''.join(letters[:4])}-{''.join(letters[4:])}"
