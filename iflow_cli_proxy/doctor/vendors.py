"""The two vendors that have announced the end of what people sign in to, and what to do instead.

Data, and which addresses are theirs: a relay that speaks a vendor's wire format is not gone when the vendor is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from iflow_cli_proxy.doctor.finding import Finding, Group, Status
from iflow_cli_proxy.providers.iflow import sunset as iflow_sunset
from iflow_cli_proxy.providers.qwen import sunset as qwen_sunset


@dataclass(frozen=True, kw_only=True)
class Vendor:
    kind: str
    """As in `[providers.NAME] kind`."""
    name: str
    domains: tuple[str, ...]
    more_hosts: tuple[str, ...] = ()
    """To look at besides those that requests and sign-ins go to."""
    ended_at: float
    notice: str
    way_out: str

    def owns(self, url: str) -> bool:
        host = (urlsplit(url).hostname or "").rstrip(".")
        return any(host == domain or host.endswith(f".{domain}") for domain in self.domains)


VENDORS: Final = (
    Vendor(
        kind="iflow",
        name="iFlow",
        domains=("iflow.cn",),
        more_hosts=("platform.iflow.cn",),
        ended_at=iflow_sunset.SUNSET_AT,
        notice="the vendor announced its shutdown on 2026-04-17 (UTC+8); failures there may be final",
        way_out="use another upstream: iflow2api serve --upstream URL, or iflow2api login PROVIDER",
    ),
    Vendor(
        kind="qwen",
        name="Qwen",
        domains=("qwen.ai",),
        ended_at=qwen_sunset.ENDED_AT,
        notice="the free tier for sign-ins ended on 2026-04-15; requests with them probably fail",
        way_out=qwen_sunset.WAY_OUT,
    ),
)


def vendor_of(kind: str, url: str) -> Vendor | None:
    """The vendor behind an address that requests of this kind go to."""
    return next((vendor for vendor in VENDORS if vendor.kind == kind and vendor.owns(url)), None)


def notices(kinds: Iterable[str], now: float) -> list[Finding]:
    """What people of these kinds of provider should know before anything else."""
    named = set(kinds)
    return [
        Finding(
            group=Group.ACCOUNTS,
            status=Status.NOTE,
            subject=vendor.name,
            text=vendor.notice,
            action=vendor.way_out,
        )
        for vendor in VENDORS
        if vendor.kind in named and now >= vendor.ended_at
    ]
