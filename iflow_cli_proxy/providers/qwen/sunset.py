"""The end of Qwen's free tier for sign-ins: when it was, and what a person can do instead."""

from __future__ import annotations

from typing import Final

ENDED_AT: Final = 1_776_211_200.0
"""2026-04-15 00:00 UTC; the vendor names the day and no hour."""

NOTICE: Final = (
    "Qwen ended its free tier for sign-ins on 2026-04-15: signing in may still work, requests probably do not. "
    "API keys of Alibaba Cloud do."
)
"""For a person about to sign in."""

WAY_OUT: Final = (
    "use an API key with"
    " base_url https://dashscope-intl.aliyuncs.com/compatible-mode/v1 (ModelStudio)"
    " or https://coding-intl.dashscope.aliyuncs.com/v1 (Coding Plan); accounts in China: the same without -intl"
)
HINT: Final = f"the free tier for Qwen sign-ins ended on 2026-04-15; {WAY_OUT}"


def is_past(now: float) -> bool:
    return now >= ENDED_AT


def hint(now: float) -> str:
    """What to try when a sign-in gets nothing any more; empty before the end."""
    return HINT if is_past(now) else ""
