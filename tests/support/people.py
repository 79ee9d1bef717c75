"""People who have signed in at the demo: accounts in a folder, made by the real flows over real sockets."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from iflow_cli_proxy.core.clock import SystemClock
from iflow_cli_proxy.demo.run import DemoUpstream, start_demo
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.providers import oauth
from iflow_cli_proxy.providers.signin import OAuthAnswer
from iflow_cli_proxy.signin.authorization import CodeFlow
from iflow_cli_proxy.signin.enrol import enrol
from iflow_cli_proxy.signin.signed_in import SignedIn, complete
from iflow_cli_proxy.state.accounts import AccountStore
from iflow_cli_proxy.state.paths import find_paths
from iflow_cli_proxy.wiring.accounts import Accounts
from tests.support.demo_signin import REDIRECT, Caller
from tests.support.gateway import RunningGateway, running_gateway, settings_from


@dataclass
class Household:
    """A demo, a home folder, and the accounts of those who live there."""

    demo: DemoUpstream
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def around(self) -> dict[str, str]:
        return {"IFLOW2API_HOME": str(self.home), **self.environ}

    @property
    def store(self) -> AccountStore:
        return AccountStore(find_paths(self.around).accounts_dir, clock=SystemClock())

    @property
    def calls(self) -> Any:
        """How often each sign-in endpoint of the demo was called."""
        return self.demo.app.oauth.calls

    def settle(self) -> None:
        """From now on this home's settings lead to the demo."""
        (self.home / "config.toml").write_text(self.demo.toml)

    def toml(self, *providers: str, more: str = "") -> str:
        """Settings that lead to the demo, for these providers only."""
        tables = self.demo.toml.split("\n\n")
        chosen = [table for table in tables if table.partition("]")[0].removeprefix("[providers.") in providers]
        return more + "\n" + "\n\n".join(chosen)

    @asynccontextmanager
    async def accounts(self, *providers: str) -> AsyncIterator[Accounts]:
        made = Accounts(
            settings_from(self.toml(*providers)),
            find_paths(self.around),
            self.around,
            entropy=os.urandom,
            home=self.home,
        )
        try:
            yield made
        finally:
            await made.aclose()

    def gateway(self, *providers: str, more: str = "") -> AbstractAsyncContextManager[RunningGateway]:
        return running_gateway(self.toml(*providers, more=more), self.environ, home=self.home)

    async def iflow(self, person: str = "ada") -> SavedAccount:
        """Sign in at iFlow by its authorization code."""
        async with self.accounts("iflow") as accounts, aiohttp.ClientSession() as session:
            flow = CodeFlow(
                accounts.sign_in("iflow"), accounts.transport("iflow"), clock=SystemClock(), entropy=os.urandom
            )
            code = await Caller(self.demo, session).code(person)
            return self._kept(accounts, "iflow", await flow.finish(code, REDIRECT), person)

    async def qwen(self, person: str = "ada") -> SavedAccount:
        """Sign in at Qwen by a device code."""
        tokens = await self.qwen_tokens(person)
        async with self.accounts("qwen") as accounts:
            sign_in = accounts.sign_in("qwen")
            assert sign_in.client is not None
            answer = OAuthAnswer(status=200, headers={}, body=tokens)
            read = oauth.read_tokens(sign_in.client, answer, now=SystemClock().now())
            return self._kept(accounts, "qwen", await complete(sign_in, accounts.transport("qwen"), read), person)

    async def qwen_tokens(self, person: str = "ada") -> bytes:
        """The token answer of a device code sign-in, as the server sent it."""
        async with aiohttp.ClientSession() as session:
            caller = Caller(self.demo, session)
            grant = (await caller.device()).json
            await caller.confirm(grant["user_code"], account=person)
            return (await caller.poll(grant["device_code"])).body

    def saved(self, account: SavedAccount) -> SavedAccount:
        """The account as its file says now."""
        return next(one for one in self.store.load().accounts if one.id == account.id)

    @staticmethod
    def _kept(accounts: Accounts, provider: str, signed_in: SignedIn, label: str) -> SavedAccount:
        done = enrol(
            accounts.store, provider, signed_in, label=label, now=SystemClock().now(), entropy=os.urandom
        )  # fmt: skip
        return done.account


@asynccontextmanager
async def household(
    home: Path, environ: dict[str, str] | None = None, *, delay_s: float = 0.0, **demo: Any
) -> AsyncIterator[Household]:
    """A household without anybody in it yet; `demo` are further options of `start_demo`."""
    async with await start_demo(delay_s=delay_s, **demo) as upstream:
        yield Household(upstream, home, environ or {})
