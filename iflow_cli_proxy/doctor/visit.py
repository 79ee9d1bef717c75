"""One provider to look at: where it stands, who it belongs to, and how calls to it are let out.

Knows addresses and limits. Refuses to know what is asked there and what the answers mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from iflow_cli_proxy.doctor.reach import LIMIT_S
from iflow_cli_proxy.doctor.vendors import Vendor, vendor_of
from iflow_cli_proxy.pool.account import Account
from iflow_cli_proxy.providers import build_provider, kind_of
from iflow_cli_proxy.providers.base import Call
from iflow_cli_proxy.providers.signin import OAuthClient
from iflow_cli_proxy.transport.base import TransportOptions, UpstreamRequest
from iflow_cli_proxy.transport.proxy import ProxyChoice
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.known import KnownAccount

T = TypeVar("T")

AT_ONCE: Final = 4
_HELLO: Final = {"messages": [{"role": "user", "content": "Hello"}]}
_NOTHING: Final = b"{}"
"""No model, no messages, no key: every API refuses it, and says by that that it is there."""


class Caller:
    """Lets a few calls out at a time, each within its limit, and says which one begins."""

    def __init__(self, tell: Callable[[str], None], *, limit_s: float = LIMIT_S) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tell = tell
        self._limit_s = limit_s

    async def __call__(self, what: str, work: Callable[[], Awaitable[T]]) -> T:
        """Raises what the work raises, TimeoutError past the limit."""
        async with self._places:
            self._tell(what)
            async with asyncio.timeout(self._limit_s):
                return await work()


@dataclass(kw_only=True)
class Visit:
    """One provider while it is looked at."""

    name: str
    accounts: Accounts
    known: Sequence[KnownAccount]
    chats: Sequence[UpstreamRequest]
    """One for each address that requests go to; without a key."""
    vendor: Vendor | None
    client: OAuthClient | None
    dates: list[float] = field(default_factory=list)
    """How far our clock was ahead of each server that told its own."""

    @property
    def ca_file(self) -> str:
        return self.accounts.table(self.name).ca_file

    @property
    def way_out(self) -> str:
        return self.vendor.way_out if self.vendor else f"try again later, or correct providers.{self.name}.base_url"

    def addresses(self) -> Iterator[str]:
        """Every address that requests and sign-ins of this provider go to."""
        yield from (chat.url for chat in self.chats)
        if self.client is not None:
            yield from filter(None, (self.client.authorize_url, self.client.device_url, self.client.token_url))
        if self.vendor is not None:
            yield from (f"https://{host}/" for host in self.vendor.more_hosts)

    @property
    def proxy_setting(self) -> str:
        """What sends its calls through a proxy; empty when nothing does."""
        table = self.accounts.table(self.name)
        choose = ProxyChoice(TransportOptions(proxy=table.proxy, trust_env=table.trust_env))
        return next((proxy.setting for url in self.addresses() if (proxy := choose(url)) is not None), "")

    def vendor_at(self, url: str) -> Vendor | None:
        """The vendor, if it is its own server that stands there: a relay beside it is judged as what it is."""
        return self.vendor if self.vendor is not None and self.vendor.owns(url) else None


def plan(accounts: Accounts, known: Iterable[KnownAccount], name: str) -> Visit:
    """What there is to visit. Raises ConfigError for a provider nobody knows."""
    table, client = accounts.table(name), accounts.sign_in(name).client
    mine = [one for one in known if one.saved.provider == name]
    provider = build_provider(name, table, accounts.around)
    somebody = Account(id="doctor", provider=name, label="doctor", is_oauth=client is not None)
    chats = {}
    for account in [accounts.as_account(one) for one in mine] or [somebody]:
        url = provider.prepare(Call(account=account, model="doctor", fields=_HELLO, is_stream=False)).url
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        chats[url] = UpstreamRequest(url=url, headers=headers, body=_NOTHING)
    vendor = next((found for url in chats if (found := vendor_of(kind_of(name, table), url))), None)
    requests = tuple(chats.values())
    return Visit(name=name, accounts=accounts, known=mine, chats=requests, vendor=vendor, client=client)


def offset_of(visits: Iterable[Visit]) -> float | None:
    """How far our clock is ahead, by most of the servers that told; None when none did."""
    told = sorted(date for visit in visits for date in visit.dates)
    return told[len(told) // 2] if told else None
