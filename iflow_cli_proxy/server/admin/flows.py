"""Sign-ins that were begun on the admin page and wait for a person: by a code, or by a page of the provider.

Knows how a code comes back (a port of this machine, our own callback, or pasted), that each counts once (I49 to I52),
and how a flow ends by itself. Refuses to know requests (`oauth.py`). Each flow is one task of the Supervisor.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from iflow_cli_proxy.core.errors import Busy, GatewayError, LoginRequired
from iflow_cli_proxy.pool.saved import SavedAccount
from iflow_cli_proxy.server.state import ServerState
from iflow_cli_proxy.signin.authorization import CodeFlow, checked_page, redirect_to_paste
from iflow_cli_proxy.signin.device import DeviceFlow, GivenUp
from iflow_cli_proxy.signin.loopback import listen_for_code
from iflow_cli_proxy.signin.pages import ADMIN_PAGE
from iflow_cli_proxy.signin.pasted import code_from
from iflow_cli_proxy.signin.signed_in import SignedIn

MOST_WAITING: Final = 16
CODE_LIMIT_S: Final = 600.0
"""How long a person may take with a page of the provider."""
OUR_CALLBACK: Final = "/admin/oauth/callback"
_REMEMBERED_S: Final = 600.0
"""How long the page can ask how one ended."""
_ID_BYTES: Final = 16

Keep = Callable[[str, SignedIn, str], Awaitable[SavedAccount]]
"""Keeps a sign-in at a provider under a label, and puts it in force."""
Tell = Callable[[bool, str], Awaitable[None]]
"""Shows a browser that waits whether it went well, and what there is to say."""


@dataclass(eq=False, kw_only=True)
class Flow:
    """One sign-in. It waits until it has an account or an error."""

    id: str
    provider: str
    label: str
    ends_at: float
    """In monotonic seconds; when it has ended, until when it is remembered."""
    account_id: str = ""
    error: GatewayError | None = None
    state: str = ""
    """What only the answer to this one holds; empty where no answer comes back."""
    brought: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    """The code, once somebody has brought it."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_given_up: bool = False

    @property
    def is_waiting(self) -> bool:
        return not self.ended.is_set()

    def bring(self, code: str) -> None:
        """Raises LoginRequired when another one was brought before."""
        if self.brought.done():
            raise LoginRequired("This sign-in has used its code already.", hint="begin another one")
        self.brought.set_result(code)

    def paste(self, text: str) -> None:
        """A code as a person has copied it. Raises InvalidRequest for what is none, LoginRequired for a refusal."""
        self.bring(code_from(text, state=self.state))

    def fail(self, error: GatewayError) -> None:
        """Somebody has refused it."""
        if not self.brought.done():
            self.brought.set_exception(error)
            self.brought.exception()  # where nobody waits for a code, nobody would look at it

    def give_up(self) -> None:
        self.is_given_up = True
        self.fail(LoginRequired("This sign-in was given up.", code="given_up"))


class Flows:
    """Those of one server."""

    def __init__(self, state: ServerState, keep: Keep) -> None:
        self._state = state
        self._keep = keep
        self._known: dict[str, Flow] = {}

    async def begin_code(self, provider: str, label: str, *, comes_back: bool, own_port: int) -> tuple[Flow, str, bool]:
        """The flow, the page to open, and whether its end comes back by itself; `comes_back` says that the browser
        runs on this machine, `own_port` where it reaches us.

        Raises:
            Busy: too many wait already.
            ConfigError: the provider has no such page, or one that is not safe to open.
        """
        code_flow = CodeFlow(
            self._state.accounts.sign_in(provider),
            self._state.accounts.transport(provider),
            clock=self._state.clock,
            entropy=self._state.entropy,
        )
        flow = self._new(provider, label, CODE_LIMIT_S)
        flow.state = code_flow.state
        stack = AsyncExitStack()
        try:
            redirect_uri, told = await self._way_back(flow, code_flow, stack, comes_back=comes_back, own_port=own_port)
            page = checked_page(code_flow.url(redirect_uri), provider)
        except BaseException:
            flow.give_up()
            self._end(flow)
            await stack.aclose()
            raise

        async def sign_in() -> SignedIn:
            return await code_flow.finish(await flow.brought, redirect_uri)

        self._start(flow, self._run(flow, sign_in, told, stack))
        return flow, page, comes_back

    async def begin_device(self, provider: str, label: str) -> tuple[Flow, Any]:
        """The flow, and the code to show (`DeviceGrant`). Raises as `begin_code`, or GatewayError."""
        device = DeviceFlow(
            self._state.accounts.sign_in(provider),
            self._state.accounts.transport(provider),
            clock=self._state.clock,
            entropy=self._state.entropy,
        )
        self._check_room()
        grant = await device.begin()
        flow = self._new(provider, label, grant.expires_in_s)

        async def sign_in() -> SignedIn:
            return await device.wait(grant, is_given_up=lambda: flow.is_given_up or self._state.is_draining)

        self._start(flow, self._run(flow, sign_in, _tell_nobody, AsyncExitStack()))
        return flow, grant

    async def _way_back(
        self, flow: Flow, code_flow: CodeFlow, stack: AsyncExitStack, *, comes_back: bool, own_port: int
    ) -> tuple[str, Tell]:
        """Where the provider sends the browser, and how that one is told of the end; `stack` closes what was opened.

        Raises ConfigError when no port can be had.
        """
        client = code_flow.client
        if not comes_back:
            return redirect_to_paste(client, self._state.entropy), _tell_nobody
        if client.redirect_path == OUR_CALLBACK:
            return f"http://{client.redirect_host}:{own_port}{OUR_CALLBACK}", _tell_nobody
        listener = await stack.enter_async_context(listen_for_code(client, flow.state, words=ADMIN_PAGE))
        self._state.supervisor.run_once("the browser's way back", _listen(flow, listener.code(CODE_LIMIT_S)))
        return listener.redirect_uri, listener.finish

    def find(self, flow_id: str) -> Flow | None:
        self._forget_old()
        return self._known.get(flow_id)

    def of_state(self, state: str) -> Flow | None:
        """The one an answer belongs to, compared in constant time."""
        given = state.encode("utf-8", "surrogatepass")
        fits = [one for one in self._known.values() if one.state and secrets.compare_digest(one.state.encode(), given)]
        return fits[0] if fits and state else None

    def seconds_left(self, flow: Flow) -> float:
        return max(0.0, flow.ends_at - self._state.clock.monotonic())

    def close(self) -> None:
        """Nobody waits any more."""
        for flow in self._known.values():
            if flow.is_waiting:
                flow.give_up()

    def _new(self, provider: str, label: str, limit_s: float) -> Flow:
        self._check_room()
        flow = Flow(
            id=secrets.token_hex(_ID_BYTES),
            provider=provider,
            label=label,
            ends_at=self._state.clock.monotonic() + limit_s,
        )
        self._known[flow.id] = flow
        return flow

    def _check_room(self) -> None:
        self._forget_old()
        if sum(flow.is_waiting for flow in self._known.values()) >= MOST_WAITING:
            raise Busy("Too many sign-ins are being waited for.", hint="give one up", retry_after_s=5.0)

    def _forget_old(self) -> None:
        now = self._state.clock.monotonic()
        self._known = {id: flow for id, flow in self._known.items() if flow.is_waiting or now < flow.ends_at}

    def _start(self, flow: Flow, work: Coroutine[Any, Any, None]) -> None:
        self._state.supervisor.run_once(f"sign-in at {flow.provider}", work)

    async def _run(
        self,
        flow: Flow,
        sign_in: Callable[[], Awaitable[SignedIn]],
        told: Tell,
        stack: AsyncExitStack,
    ) -> None:
        """Until there is an account or an error; nothing is raised but what ends the server."""
        self._state.sign_ins_waited_for += 1  # its connections are not closed under it (F49)
        try:
            async with stack:
                try:
                    async with asyncio.timeout(self.seconds_left(flow)):
                        signed_in = await sign_in()
                    account = await self._keep(flow.provider, signed_in, flow.label)
                except TimeoutError:
                    flow.error = LoginRequired("Nobody signed in in time.", hint="begin another one", code="timeout")
                except GivenUp:
                    flow.error = LoginRequired("This sign-in was given up.", code="given_up")
                except GatewayError as error:
                    flow.error = error
                else:
                    flow.account_id = account.id
                self._end(flow)
                await told(flow.error is None, flow.error.message if flow.error else _welcome(flow))
        finally:
            self._state.sign_ins_waited_for -= 1
            if flow.is_waiting:  # the server ends
                flow.error = LoginRequired("This sign-in was given up.", code="given_up")
                self._end(flow)

    def _end(self, flow: Flow) -> None:
        flow.ends_at = self._state.clock.monotonic() + _REMEMBERED_S
        flow.state = ""
        flow.brought.cancel()
        flow.ended.set()


async def _listen(flow: Flow, code: Awaitable[str]) -> None:
    """Hand over what the browser brings, unless a person was faster."""
    coming = asyncio.ensure_future(code)
    flow.brought.add_done_callback(lambda _: coming.cancel())
    try:
        flow.bring(await coming)
    except LoginRequired as error:
        flow.fail(error)


async def _tell_nobody(_: bool, __: str) -> None:
    """No browser waits for the end."""


def _welcome(flow: Flow) -> str:
    return f"You are signed in at {flow.provider}."
