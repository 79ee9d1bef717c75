"""What one attempt wants of the pool. A value."""

from __future__ import annotations

from collections.abc import Collection

import msgspec


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Which accounts would do, and which of them comes first."""

    provider: str
    model: str = ""
    """The provider's own name of it, however a client spelt it: rests and paces may be for one model alone."""
    is_listed: bool = False
    """The provider's catalogue has it; other names are remembered only as long as there are not too many."""
    tried: Collection[str] = ()
    """Ids of accounts that have failed this exchange already; they are never leased to it again."""
    wanted: str = ""
    """Id of the account that comes first if it may be leased: the one whose bearer was just renewed."""
    session: str = ""
    """What a conversation is known by, for the strategy `sticky`; empty for none."""
    allowed: frozenset[str] | None = None
    """Ids of accounts the caller may use; None for all."""
    pool: str = ""
    """Name of the pool whose strategy and weights hold; empty for the general ones."""
    tokens: int = 0
    """How many the request is thought to need."""
