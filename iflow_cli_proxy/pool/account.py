"""An account: one identity at a provider and the secret it holds now. A value; it has no behaviour of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from iflow_cli_proxy.core.secret import Secret


@dataclass(frozen=True, kw_only=True)
class Account:
    """Equal accounts are interchangeable; a refreshed credential makes a new value with the same `id`."""

    id: str
    provider: str
    """Name of the provider it belongs to, as in `[providers.NAME]`."""
    label: str
    """What people see; never a secret."""
    api_key: Secret = field(default_factory=Secret)
    """The bearer value; empty when the upstream wants none."""
    is_oauth: bool = False
    """The bearer is the access token of a sign-in, not an API key; some upstreams treat the two differently."""
    base_url: str = ""
    """Where this account's API begins; empty for the provider's own."""
    concurrency: int = 0
    """Requests at one time; 0 for no limit."""
    rpm: int = 0
    """Requests a minute; 0 for as learned from the upstream."""
    tpm: int = 0
    """Tokens a minute; 0 for as learned from the upstream."""
    weight: float = 1.0
    """Its share under the strategy `weighted`, where the pool that is asked says nothing else."""
    origin: str = ""
    """Where it was found (a file or variable name), for people; never sent anywhere."""
    fresh_until: float = inf
    """Monotonic seconds; from then on a request waits for a newer bearer before it goes out."""
    is_preferred: bool = False
    """The first choice while nobody has been used yet."""
