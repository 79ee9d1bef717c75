"""A model as protocols show it in their lists, for those that say much the same of it."""

from __future__ import annotations

from typing import NamedTuple


class ModelRow(NamedTuple):
    """`created` is in epoch seconds; the token limits are 0 where nobody knows them."""

    id: str
    name: str = ""
    """For people; the id when empty."""
    created: int = 0
    owned_by: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    has_vision: bool = False
    can_think: bool = False
    provider: str = ""
    """As in `[providers.NAME]`."""
    thinking: str = ""
    """How it thinks, in our catalogue's word."""
