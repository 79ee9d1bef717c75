"""What every answer says of itself before it says anything: its id, its model and when it was made."""

from __future__ import annotations

from typing import Final, TypedDict

_LAST_DATE: Final = 253_402_300_800
"""Epoch seconds at the end of the year 9999."""


class Head(TypedDict):
    """What Reply and Started have in common; `created` is epoch seconds, 0 where nobody said."""

    id: str
    model: str
    created: int


def epoch_of(created: object) -> int:
    """A date that is none is as good as no date."""
    return int(created) if isinstance(created, int | float) and 0 < created < _LAST_DATE else 0
