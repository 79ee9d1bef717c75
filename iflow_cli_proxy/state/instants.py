"""Moments as files show them, `2026-03-02T10:00:00Z` (RFC 3339), and as we count them, epoch seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


def instant_text(instant: float) -> str:
    """In UTC, to the microsecond; what no calendar holds becomes the nearest moment that one does."""
    moment = datetime.fromtimestamp(min(max(instant, 0.0), _LATEST), UTC)
    return moment.isoformat().replace("+00:00", "Z")


def epoch(moment: datetime) -> float:
    """Epoch seconds; a moment without a zone is taken for UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
