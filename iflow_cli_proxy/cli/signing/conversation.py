"""The talk between a person and a sign-in: what they are shown, what they are asked, and what they bring.

Knows the four methods as people meet them. Refuses to know OAuth (`signin/`), screens and terminals, all of which it
is handed. Nothing is saved here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from iflow_cli_proxy.cli.signing.method import flag
from iflow_cli_proxy.cli.signing.screen import Screen
from iflow_cli_proxy.cli.signing.terminal import ends_tidily
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, InvalidRequest, LoginRequired
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.pool.saved import AuthType
from iflow_cli_proxy.providers.signin import DeviceGrant, Method, OAuthClient, SignIn
from iflow_cli_proxy.signin.authorization import checked_page, redirect_to_paste
from iflow_cli_proxy.signin.pasted import code_from, key_from
from iflow_cli_proxy.signin.signed_in import SignedIn, Sleep

T = TypeVar("T")

_BROWSER_LIMIT_S: Final = 300.0
_TRIES: Final = 3
_ANSWER: Final = re.compile(r"\b(?:code|error)=")


class CodeSteps(Protocol):
    """An authorization code flow (`signin/authorization.py`)."""

    @property
    def state(self) -> str: ...
    def url(self, redirect_uri: str) -> str: ...
    async def finish(self, code: str, redirect_uri: str) -> SignedIn: ...


class Listening(Protocol):
    """A redirect address that is listened at (`signin/loopback.py`)."""

    @property
    def redirect_uri(self) -> str: ...
    async def code(self, timeout_s: float) -> str: ...
    async def finish(self, ok: bool, message: str = "", *, command: str = "") -> None: ...


class DeviceSteps(Protocol):
    """A device code flow (`signin/device.py`)."""

    @property
    def failure(self) -> GatewayError | None: ...
    async def begin(self) -> DeviceGrant: ...
    async def wait(self, grant: DeviceGrant) -> SignedIn: ...


class Flows(Protocol):
    """The flows of one provider, ready to be started."""

    def code(self) -> CodeSteps: ...
    def listen(self, client: OAuthClient, state: str) -> AbstractAsyncContextManager[Listening]: ...
    def device(self, sleep: Sleep) -> DeviceSteps: ...


class Answers(Protocol):
    """Where the person's words come from (`cli/terminal.py`)."""

    @property
    def can_ask(self) -> bool: ...
    def ask(self, question: str, *, is_secret: bool = False, default: str = "") -> str: ...
    def typed(self, on_line: Callable[[str], None]) -> AbstractContextManager[None]: ...


class _Pace:
    """The pauses between two polls; tells when they have grown, and why the last poll brought nothing."""

    def __init__(self, sleep: Sleep) -> None:
        self.flow: DeviceSteps | None = None
        self._sleep = sleep
        self._tell: Callable[[str], None] | None = None
        self._usual_s = 0.0

    def told(self, tell: Callable[[str], None], *, usual_s: float) -> None:
        self._tell, self._usual_s = tell, usual_s

    async def __call__(self, seconds: float) -> object:
        if self._tell is not None:
            failure = self.flow.failure if self.flow else None
            slower = f"asking only every {seconds:.0f} s" if seconds > self._usual_s else ""
            self._tell(failure.message if failure else slower)
        return await self._sleep(seconds)


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """One sign-in. `open_page` may fail in silence: every page is shown as text too."""

    sign_in: SignIn
    flows: Flows
    screen: Screen
    answers: Answers
    open_page: Callable[[str], None]
    shows_browsers: bool
    entropy: Entropy
    sleep: Sleep = asyncio.sleep
    timeout_s: float | None = None
    """How long to wait for the person; None for what is usual."""

    async def hold(self, method: Method) -> SignedIn:
        """Until somebody has signed in.

        Raises:
            LoginRequired: it was refused, or took too long.
            InvalidRequest: what the person brought was no code or key.
            GatewayError: the provider cannot do it now.
        """
        if self.sign_in.notice:
            self.screen.tell(self.sign_in.notice, "yellow")
        match method:
            case Method.BROWSER:
                return await self._by_browser(self._client())
            case Method.PASTE:
                return await self._by_paste(self._client())
            case Method.DEVICE:
                return await self._by_device()
            case Method.API_KEY:
                return self._by_api_key()

    # --- browser ------------------------------------------------------------------------------------------------

    async def _by_browser(self, client: OAuthClient) -> SignedIn:
        flow = self.flows.code()
        async with self.flows.listen(client, flow.state) as listening:
            url = self._checked(flow.url(listening.redirect_uri))
            self.screen.page(url, "Sign in on this page; if your browser does not open it, do so yourself:")
            self._tell_other_machine(client)
            self.open_page(url)
            code = await self._code(flow, listening)
            try:
                signed_in = await self._patiently("getting the tokens", flow.finish(code, listening.redirect_uri))
            except GatewayError as error:
                await listening.finish(False, error.message, command=f"iflow2api login {self.sign_in.provider}")
                raise
            await listening.finish(True, f"You are signed in at {self.sign_in.provider}.")
            return signed_in

    async def _code(self, flow: CodeSteps, listening: Listening) -> str:
        """What the browser brings back, or the person, whichever comes first."""
        within_s = self.timeout_s or _BROWSER_LIMIT_S
        brought: list[str | LoginRequired] = []
        with ends_tidily(), self.screen.waiting("waiting for the browser", within_s) as wait:
            try:
                async with asyncio.timeout(None) as limit:

                    def on_line(text: str) -> None:
                        if brought:
                            return
                        try:
                            brought.append(_from_address(text, flow.state))
                        except InvalidRequest as error:
                            wait.remark(error.message)
                            return
                        except LoginRequired as error:
                            brought.append(error)
                        limit.reschedule(0)  # nothing more to wait for

                    with self.answers.typed(on_line):
                        return await listening.code(within_s)
            except TimeoutError:
                if not brought:
                    raise
        if isinstance(brought[0], LoginRequired):
            raise brought[0]
        return brought[0]

    def _tell_other_machine(self, client: OAuthClient) -> None:
        other = self._command(Method.PASTE)
        if self.answers.can_ask:
            self.screen.tell(
                "Is the browser on another machine? Its last page will not load then: paste the address of that page "
                "here and press Enter (it is not shown).",
                "dim",
            )
        elif client.paste_redirect or not self.shows_browsers:
            self.screen.tell(f"Is the browser on another machine? Stop with Ctrl-C, then {other}.", "dim")

    # --- paste --------------------------------------------------------------------------------------------------

    async def _by_paste(self, client: OAuthClient) -> SignedIn:
        flow = self.flows.code()
        redirect_uri = redirect_to_paste(client, self.entropy)
        self.screen.page(self._checked(flow.url(redirect_uri)), "Sign in on this page, in any browser on any device:")
        if client.paste_redirect:
            self.screen.tell("At the end the page shows a code. Copy it, and paste it here.")
        else:
            self.screen.tell(
                "At the end the browser goes to a page that does not load, and that is right: copy the whole address "
                "of that page, and paste it here."
            )
        code = self._asked("Code or address", Method.PASTE, lambda text: code_from(text, state=flow.state))
        return await self._patiently("getting the tokens", flow.finish(code, redirect_uri))

    # --- device -------------------------------------------------------------------------------------------------

    async def _by_device(self) -> SignedIn:
        pace = _Pace(self.sleep)
        flow = pace.flow = self.flows.device(pace)
        grant = await self._patiently("asking for a code", flow.begin())
        url = self._checked(grant.verification_uri_complete or grant.verification_uri)
        self.screen.device(grant)
        if self.shows_browsers:
            self.open_page(url)
        within_s = min(grant.expires_in_s, self.timeout_s or grant.expires_in_s)
        with ends_tidily(), self.screen.waiting("waiting for you", within_s) as wait:
            pace.told(wait.remark, usual_s=grant.interval_s)
            try:
                with self.answers.typed(_nothing):  # an Enter would push the countdown off its line
                    async with asyncio.timeout(self.timeout_s):
                        return await flow.wait(grant)
            except TimeoutError:
                again = self._command(Method.DEVICE)
                raise LoginRequired(f"Nobody signed in within {within_s:g} s.", hint=f"{again} starts again") from None

    # --- API key ------------------------------------------------------------------------------------------------

    def _by_api_key(self) -> SignedIn:
        if self.answers.can_ask and self.sign_in.key_page:
            self.screen.page(self._checked(self.sign_in.key_page), "API keys are made here:")
        key = self._asked(f"API key of {self.sign_in.provider}", Method.API_KEY, key_from, is_secret=True)
        return SignedIn(auth_type=AuthType.API_KEY, api_key=key)

    # --- all of them --------------------------------------------------------------------------------------------

    def _asked(self, question: str, method: Method, read: Callable[[str], T], *, is_secret: bool = False) -> T:
        """What `read` makes of an answer; nonsense is asked about again while somebody is there to answer."""
        tries = _TRIES if self.answers.can_ask else 1
        for left in range(tries - 1, -1, -1):
            text = self.answers.ask(question, is_secret=is_secret)
            try:
                return read(text)
            except InvalidRequest as error:
                if not left:
                    raise self._nothing_came(method) if not text else error from None
                self.screen.tell(error.message, "yellow")
                if error.hint:
                    self.screen.tell(f"Hint: {error.hint}", "cyan")
        raise AssertionError("the last try returns or raises")

    def _nothing_came(self, method: Method) -> ConfigError:
        what = "key" if method is Method.API_KEY else "code"
        if self.answers.can_ask:
            return ConfigError(f"No {what} was given.", param=flag(method), hint=self._command(method))
        return ConfigError(
            f"No {what} came through standard input, and there is no terminal to ask at.",
            param=flag(method),
            hint=f"{self._command(method)} takes one line from a pipe, or asks in a terminal",
        )

    async def _patiently(self, what: str, doing: Awaitable[T]) -> T:
        with ends_tidily(), self.screen.waiting(what):
            return await doing

    def _checked(self, url: str) -> str:
        return checked_page(url, self.sign_in.provider)

    def _client(self) -> OAuthClient:
        if self.sign_in.client is None:
            raise ConfigError(f"{self.sign_in.provider} has no sign-in by browser.", hint=self._command(Method.API_KEY))
        return self.sign_in.client

    def _command(self, method: Method) -> str:
        return f"`iflow2api login {self.sign_in.provider} {flag(method)}`"


def _nothing(line: str) -> None:
    """What was typed needs no answer."""


def _from_address(text: str, state: str) -> str:
    """The code in an address. A bare word is none here: people type beside a wait without meaning it."""
    if not _ANSWER.search(text):
        raise InvalidRequest("that was not the address of the last page")
    return code_from(text, state=state)
