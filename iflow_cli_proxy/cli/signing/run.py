"""What `login` does once its flags are read: provider, method, conversation, account, one cheap call.

Knows the order of things and how the result is told. Refuses to know the flows (`signin/`) and the talk
(`cli/conversation.py`).
"""

from __future__ import annotations

import asyncio
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from iflow_cli_proxy.cli.accounts.naming import open_accounts
from iflow_cli_proxy.cli.accounts.view import ends_at, expiry_text
from iflow_cli_proxy.cli.output import ExitCode, console, print_json
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.signing.browser import open_page
from iflow_cli_proxy.cli.signing.conversation import Answers, Conversation
from iflow_cli_proxy.cli.signing.method import Machine, choose
from iflow_cli_proxy.cli.signing.screen import Screen
from iflow_cli_proxy.cli.signing.terminal import Terminal, ends_tidily
from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import ConfigError, CredentialError, GatewayError, InvalidRequest
from iflow_cli_proxy.core.ids import Entropy
from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.saved import AuthType, SavedAccount
from iflow_cli_proxy.providers.signin import Method, OAuthClient, SignIn
from iflow_cli_proxy.signin.authorization import CodeFlow
from iflow_cli_proxy.signin.device import DeviceFlow
from iflow_cli_proxy.signin.enrol import Enrolled, enrol
from iflow_cli_proxy.signin.identity import check_label
from iflow_cli_proxy.signin.loopback import CodeListener, listen_for_code
from iflow_cli_proxy.signin.signed_in import SignedIn, Sleep
from iflow_cli_proxy.transport.base import Transport
from iflow_cli_proxy.wiring.accounts import Accounts, KnownAccount, Verdict
from iflow_cli_proxy.wiring.known import state_word

_CONTAINER_MARKS: Final = ("/.dockerenv", "/run/.containerenv")
_TRIES: Final = 3


@dataclass(frozen=True, kw_only=True)
class LoginPlan:
    """The arguments of one `login`."""

    session: Session
    provider: str = ""
    forced: Method | None = None
    label: str = ""
    timeout_s: float | None = None
    verifies: bool = True
    as_json: bool = False


def run_login(plan: LoginPlan) -> ExitCode:
    """Sign in, save, verify, tell. Raises GatewayError when nobody signed in; then nothing is saved."""
    settings, _ = plan.session.load()
    accounts = open_accounts(plan.session)
    answers, environ = Terminal(), plan.session.environ
    screen = Screen(console(stderr=True), accounts.clock, environ=environ, emit=print_json if plan.as_json else None)
    machine = this_machine(environ, can_ask=answers.can_ask)

    async def run() -> ExitCode:
        async with aclosing(accounts):
            return await Login(plan, accounts, screen, answers, machine).run(settings.routing.default_provider)

    return asyncio.run(run())


def provider_names(session: Session) -> tuple[str, ...]:
    """Where one can sign in with these settings; for a shell, which must not be asked for a passphrase."""
    settings, _ = session.load()
    return Accounts(settings, session.paths(), session.environ, opens_secrets=False).provider_names


def this_machine(environ: Mapping[str, str], *, can_ask: bool) -> Machine:
    """The facts that choose a method, looked up."""
    return Machine(
        platform=sys.platform,
        environ=environ,
        is_container=any(Path(mark).exists() for mark in _CONTAINER_MARKS) or bool(environ.get("container")),
        is_wsl=sys.platform == "linux" and "microsoft" in platform.uname().release.lower(),
        can_ask=can_ask,
    )


class Login:
    """One run of `login`."""

    def __init__(self, plan: LoginPlan, accounts: Accounts, screen: Screen, answers: Answers, machine: Machine) -> None:
        self._plan = plan
        self._accounts = accounts
        self._screen = screen
        self._answers = answers
        self._machine = machine

    async def run(self, default_provider: str) -> ExitCode:
        self._check_label()
        name = self._plan.provider or self._asked_provider(default_provider)
        sign_in = self._sign_in(name)
        method = choose(sign_in, self._machine, self._plan.forced)
        try:
            signed_in = await self._conversation(sign_in).hold(method)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._screen.tell("Stopped; nothing was saved.")
            raise
        except GatewayError as error:
            again = f"`iflow2api login {sign_in.provider}`"
            error.hint = error.hint.replace("`iflow2api login`", again) or f"{again} tries again"
            raise
        enrolled = enrol(
            self._accounts.store,
            sign_in.provider,
            signed_in,
            label=self._plan.label,
            now=self._accounts.clock.now(),
            entropy=self._accounts.entropy,
        )
        verdict = await self._verdict(signed_in, enrolled)
        self._tell(self._noted(enrolled, verdict), verdict)
        return ExitCode.PARTLY_FAILED if verdict and verdict.error else ExitCode.OK

    # --- before -------------------------------------------------------------------------------------------------

    def _check_label(self) -> None:
        """Before anybody goes to a browser for it."""
        if self._plan.label:
            try:
                check_label(self._plan.label)
            except InvalidRequest as error:
                raise ConfigError(error.message, param="--name", hint=error.hint) from error

    def _asked_provider(self, default: str) -> str:
        names = self._accounts.provider_names
        if not self._machine.can_ask or not names:
            raise ConfigError(
                "Which provider to sign in at has to be named where there is no terminal to ask at.",
                param="--provider",
                hint=f"`iflow2api login PROVIDER`, where PROVIDER is one of {', '.join(names)}",
            )
        chosen = default if default in names else names[0]
        self._screen.tell("Where do you want to sign in?")
        self._screen.choices(names, chosen)
        for _ in range(_TRIES):
            text = self._answers.ask("Provider, by name or number", default=chosen)
            if found := _picked(names, text):
                return found
            self._screen.tell(f"There is no {text!r} in the list.", "yellow")
        raise ConfigError("No provider was chosen.", param="--provider", hint=f"`iflow2api login {chosen}`")

    def _sign_in(self, name: str) -> SignIn:
        is_known = name.lower() in map(str.lower, self._accounts.provider_names)
        if not is_known and self._plan.forced is Method.API_KEY:
            # What follows --api-key is more often a key than a name: it is not repeated.
            raise ConfigError(
                "A key on the command line could be read by others in the list of processes, and no provider has "
                "this name; nothing was done.",
                param="--api-key",
                hint="`iflow2api login PROVIDER --api-key` asks for the key, or reads it from a pipe",
            )
        try:
            return self._accounts.sign_in(name)
        except ConfigError as error:
            if not is_known:
                error.param = "--provider"  # wrong usage, not a wrong setting
            raise

    def _conversation(self, sign_in: SignIn) -> Conversation:
        transport = self._accounts.transport(sign_in.provider)
        is_wsl = self._machine.is_wsl
        return Conversation(
            sign_in=sign_in,
            flows=_Flows(sign_in, transport, self._accounts.clock, self._accounts.entropy),
            screen=self._screen,
            answers=self._answers,
            open_page=lambda url: open_page(url, self._machine.environ, is_wsl=is_wsl),
            shows_browsers=self._machine.shows_browsers,
            entropy=self._accounts.entropy,
            timeout_s=self._plan.timeout_s,
        )

    # --- after --------------------------------------------------------------------------------------------------

    async def _verdict(self, signed_in: SignedIn, enrolled: Enrolled) -> Verdict | None:
        """What one cheap call says of the account; None when it was not to be made."""
        if signed_in.problem is not None:
            return Verdict(error=signed_in.problem, models=None, took_s=0.0)  # there is no key to call with yet
        if not self._plan.verifies:
            return None
        try:
            with ends_tidily(), self._screen.waiting("checking the account"):
                verdict = await self._accounts.verify(enrolled.account)
        except asyncio.CancelledError:
            self._screen.tell(f"Stopped. The account {enrolled.account.label} is saved, but was not checked.")
            raise
        return replace(verdict, error=_with_way_back(verdict.error, enrolled.account))

    def _noted(self, enrolled: Enrolled, verdict: Verdict | None) -> Enrolled:
        """With the mark of a key that its provider does not take: a list must not call that account fine.

        A token that was given out a moment ago is left to the gateway, which can renew it.
        """
        error = verdict.error if verdict else None
        if not isinstance(error, CredentialError) or enrolled.account.auth_type is not AuthType.API_KEY:
            return enrolled
        now = self._accounts.clock.now()

        def refused(saved: SavedAccount) -> SavedAccount:
            if saved.bearer != enrolled.account.bearer:
                return saved  # a running gateway was quicker, and has a newer one
            return replace(saved, is_refused=True, last_error=error.message, last_error_at=now)

        return replace(enrolled, account=self._accounts.store.change(enrolled.account.id, refused))

    def _tell(self, enrolled: Enrolled, verdict: Verdict | None) -> None:
        account, now = enrolled.account, self._accounts.clock.now()
        if self._plan.as_json:
            place = self._accounts.store.place(account.id)
            print_json(_as_json(KnownAccount(saved=account, place=place, is_ours=True), verdict, now=now))
        done = "Signed in" if enrolled.is_new else "Signed in again"
        self._screen.tell(f"{done} at {account.provider} as {account.label}.", "green")
        self._screen.facts(_facts(account, verdict, now=now))
        if verdict is None or verdict.error is None:
            self._screen.tell("Next: `iflow2api serve` makes it answer.", "cyan")
            return
        self._screen.tell(f"The account is saved, but it could not be used yet: {verdict.error.message}", "yellow")
        self._screen.tell(f"Hint: {verdict.error.hint or '`iflow2api doctor` finds out why'}", "cyan")


@dataclass(frozen=True)
class _Flows:
    """The real ones."""

    sign_in: SignIn
    transport: Transport
    clock: Clock
    entropy: Entropy

    def code(self) -> CodeFlow:
        return CodeFlow(self.sign_in, self.transport, clock=self.clock, entropy=self.entropy)

    def listen(self, client: OAuthClient, state: str) -> AbstractAsyncContextManager[CodeListener]:
        return listen_for_code(client, state)

    def device(self, sleep: Sleep) -> DeviceFlow:
        return DeviceFlow(self.sign_in, self.transport, clock=self.clock, entropy=self.entropy, sleep=sleep)


def _with_way_back(error: GatewayError | None, account: SavedAccount) -> GatewayError | None:
    """Whoever has just signed in here is told how to do it again, not how another program would."""
    if isinstance(error, CredentialError):
        way = " --api-key" if account.auth_type is AuthType.API_KEY else ""
        error.hint = f"`iflow2api login {account.provider}{way} --name {account.label}` takes another one"
    return error


def _picked(names: Sequence[str], text: str) -> str:
    """The name that was typed, or that stands at the number; "" for neither."""
    if text in names:
        return text
    return names[int(text) - 1] if text.isdecimal() and 0 < int(text) <= len(names) else ""


def _facts(account: SavedAccount, verdict: Verdict | None, *, now: float) -> Mapping[str, str]:
    rows: dict[str, str] = {}
    if expiry := expiry_text(account, now):
        rows["expires"] = f"{expiry}, renewed by itself" if account.can_refresh else expiry
    if verdict is not None and verdict.error is None:
        models = "" if verdict.models is None else f", {verdict.models} model{'' if verdict.models == 1 else 's'}"
        rows["checked"] = f"works{models} ({verdict.took_s:.1f} s)"
    return rows


def _as_json(known: KnownAccount, verdict: Verdict | None, *, now: float) -> Mapping[str, Json]:
    account = known.saved
    failure = verdict.error if verdict else None
    end = ends_at(account)
    return {
        "id": account.id,
        "provider": account.provider,
        "label": account.label,
        "state": state_word(known, now),
        "expires_at": None if end is None else rfc3339(end),
        "verified": None if verdict is None else failure is None,
        "models": verdict.models if verdict else None,
        "error": {"kind": failure.kind, "message": failure.message, "hint": failure.hint} if failure else None,
    }
