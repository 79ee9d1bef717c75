"""`token refresh`: which accounts, a few at a time, and what scripts are told. Imported only by that command."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from iflow_cli_proxy.cli.accounts.naming import find_all, name_of, open_accounts
from iflow_cli_proxy.cli.accounts.view import ago, expiry_text
from iflow_cli_proxy.cli.output import ExitCode, console, hint_of, print_json, print_table, say
from iflow_cli_proxy.cli.session import Session
from iflow_cli_proxy.cli.signing.terminal import ends_tidily
from iflow_cli_proxy.cli.speech import spoken
from iflow_cli_proxy.core.errors import ConfigError, GatewayError, LoginRequired, StateError
from iflow_cli_proxy.core.instants import rfc3339
from iflow_cli_proxy.core.jsonx import Json
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount
from iflow_cli_proxy.providers.discovery import Finding
from iflow_cli_proxy.signin import timing
from iflow_cli_proxy.wiring.accounts import Accounts, KnownAccount

AT_ONCE: Final = 4

_TRIES_TO_SAVE: Final = 35
_BETWEEN_TRIES_S: Final = 1.0
_UNHEARD: Final = logging.NullHandler()

_LENGTH: Final = re.compile(r"(\d{1,9})([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EARLIEST_DRAW: Final = 1.0
_JUST_S: Final = 60.0


class _Saving(Protocol):
    """What `save_at_last` needs of the refresher."""

    @property
    def unsaved(self) -> Mapping[str, StateError]: ...

    async def save_unsaved(self) -> None: ...


class Outcome(StrEnum):
    """What became of one account; the words of `--json`."""

    REFRESHED = "refreshed"
    NOT_DUE = "not_due"
    NOTHING_TO_REFRESH = "nothing_to_refresh"
    """It is only a key."""
    LOGIN_NEEDED = "login_needed"
    FAILED = "failed"
    """For reasons that may pass."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the command line asks for."""

    session: Session
    names: tuple[str, ...]
    """Accounts called by name; none for all."""
    within_s: float | None
    """Only those that end within this; None for what each provider's policy says."""
    is_forced: bool
    is_quiet: bool
    as_json: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    account: SavedAccount
    outcome: Outcome
    error: GatewayError | None = None

    @property
    def is_failure(self) -> bool:
        return self.outcome in (Outcome.LOGIN_NEEDED, Outcome.FAILED)


def seconds_of(text: str) -> float:
    """A length of time such as 90s, 30m, 24h, 7d. Raises ConfigError."""
    match = _LENGTH.fullmatch(text.strip().lower())
    if match is None:
        raise ConfigError(f"{text!r} is no length of time.", param="--within", hint="such as 90s, 30m, 24h or 7d")
    return float(int(match[1]) * _SECONDS[match[2]])


def exit_code_of(results: Iterable[Result]) -> ExitCode:
    """0: all fine or nothing to do. 4: only logins are left. 1: all that was tried failed for now. 3: some failed."""
    tried = [result for result in results if result.is_failure or result.outcome is Outcome.REFRESHED]
    failed = [result for result in tried if result.is_failure]
    if not failed:
        return ExitCode.OK
    if all(result.outcome is Outcome.LOGIN_NEEDED for result in failed):
        return ExitCode.LOGIN_NEEDED
    is_passing = all(result.outcome is Outcome.FAILED for result in failed)
    return ExitCode.FAILED if is_passing and len(failed) == len(tried) else ExitCode.PARTLY_FAILED


async def refresh_accounts(plan: Plan) -> ExitCode:
    """Refresh what the plan asks for, tell about it, and say how to leave. Raises GatewayError before any is tried."""
    logging.getLogger("iflow2api.refresh").addHandler(_UNHEARD)  # what it would say on stderr is said here already
    accounts = open_accounts(plan.session)
    with ends_tidily():
        try:
            return await refresh_known(accounts, plan)
        finally:
            # What has begun comes to its end also after Ctrl-C, or when a timer or a machine stops: an answer thrown
            # away may be a refresh token lost.
            await accounts.refresher.aclose()
            await accounts.aclose()


async def refresh_known(accounts: Accounts, plan: Plan) -> ExitCode:
    """The same with accounts that are open."""
    known = accounts.known()
    chosen = find_all(known, plan.names) if plan.names else [one for one in known if _is_meant_by_all(one)]
    results = {one.saved.id: judged for one in chosen if (judged := _judged(one, accounts, plan))}
    todo = [one for one in chosen if one.saved.id not in results]
    screen = console(stderr=True)
    shows_progress = screen.is_terminal and not plan.is_quiet and todo
    with screen.status(f"Refreshing {len(todo)} of {len(chosen)} accounts…") if shows_progress else nullcontext():
        for result in await _at_once(accounts, todo, plan):
            results[result.account.id] = result
        await save_at_last(accounts.refresher)
    for account_id, error in accounts.refresher.unsaved.items():
        results[account_id] = _lost(results[account_id], error)
    ordered = [results[one.saved.id] for one in chosen]
    _tell(ordered, accounts.clock.now(), plan)
    code = exit_code_of(ordered)
    if not plan.names and (unread := _unread(accounts, plan)):
        for finding in unread:
            say(f"{finding.where}: {spoken(finding.problem)} ({spoken(finding.hint)})", "red")
        return ExitCode.PARTLY_FAILED if code is ExitCode.OK else code
    return code


def _unread(accounts: Accounts, plan: Plan) -> list[Finding]:
    """The files of accounts that could not be read: nobody refreshes what is in them, which cron must not hide."""
    folder = plan.session.paths().accounts_dir
    return [finding for finding in accounts.findings if Path(finding.where).parent == folder]


def _is_meant_by_all(known: KnownAccount) -> bool:
    """Keys and what a person switched off are passed over in silence."""
    is_sign_in = known.saved.auth_type is AuthType.OAUTH and known.place is not None
    return is_sign_in and known.saved.state is not AccountState.DISABLED


def _judged(known: KnownAccount, accounts: Accounts, plan: Plan) -> Result | None:
    """What can be told about an account without asking anybody; None when it is to be refreshed."""
    account = known.saved
    if account.auth_type is AuthType.API_KEY or known.place is None:
        return Result(account=account, outcome=Outcome.NOTHING_TO_REFRESH)
    now = accounts.clock.now()
    if plan.is_forced or (plan.names and plan.within_s is None):
        return None
    if not known.is_kept_fresh:
        return _not_due(account)  # another program's file, which is not touched just because time has passed
    if account.state is AccountState.NEEDS_LOGIN:
        return _login(account)
    if not account.can_refresh:
        return _login(account) if account.bearer_expires_at <= now + (plan.within_s or 0) else _not_due(account)
    is_due = _is_wanted(account, accounts) or _ends_by(account, now + (plan.within_s or 0.0), plan)
    return None if is_due else _not_due(account)


def _is_wanted(account: SavedAccount, accounts: Accounts) -> bool:
    """By the provider's policy. One that waits after a failure is wanted too, so that this is told."""
    policy, now = accounts.policy(account.provider), accounts.clock.now()
    may_ask = account.refresh_failures > 0 or timing.rest_s(account, policy, now=now) == 0
    return may_ask and timing.wanted_in_s(account, policy, now=now, chance=_EARLIEST_DRAW) == 0


def _ends_by(account: SavedAccount, moment: float, plan: Plan) -> bool:
    ends = [account.tokens.expires_at if account.tokens else None, account.api_key_expires_at]
    return plan.within_s is not None and any(end is not None and end <= moment for end in ends)


def _login(account: SavedAccount) -> Result:
    why = account.last_error or "It cannot be refreshed any more."
    error = LoginRequired(why, hint=f"run `iflow2api login {account.provider}`")
    return Result(account=account, outcome=Outcome.LOGIN_NEEDED, error=error)


def _not_due(account: SavedAccount) -> Result:
    return Result(account=account, outcome=Outcome.NOT_DUE)


async def _at_once(accounts: Accounts, todo: Sequence[KnownAccount], plan: Plan) -> list[Result]:
    """All of them, a few at a time; in their order."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(known: KnownAccount) -> Result:
        async with places:
            # Who wants no more than the policy does leaves it to the pauses and marks that other processes may set.
            is_forced = plan.is_forced or bool(plan.names) or not _is_wanted(known.saved, accounts)
            return await _one(accounts, known.saved, is_forced=is_forced)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(known)) for known in todo]
    return [task.result() for task in tasks]


async def _one(accounts: Accounts, before: SavedAccount, *, is_forced: bool) -> Result:
    try:
        after = await accounts.refresher.refresh(before.id, is_forced=is_forced)
    except LoginRequired as error:
        return Result(account=before, outcome=Outcome.LOGIN_NEEDED, error=error)
    except GatewayError as error:
        return Result(account=before, outcome=Outcome.FAILED, error=error)
    is_new = after.refreshed_at != before.refreshed_at or after.tokens != before.tokens
    return Result(account=after, outcome=Outcome.REFRESHED if is_new else Outcome.NOT_DUE)


async def save_at_last(refresher: _Saving, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
    """Wait a little for a disk that does not take what was refreshed: else the new tokens end with this process."""
    for _ in range(_TRIES_TO_SAVE):
        if not refresher.unsaved:
            return
        await sleep(_BETWEEN_TRIES_S)
        await refresher.save_unsaved()


def _lost(result: Result, error: StateError) -> Result:
    told = StateError(
        f"It was refreshed, but the new sign-in could not be saved. {error.message}",
        detail=error.detail,
        hint=f"mend that, then run `iflow2api login {result.account.provider}`",
    )
    return replace(result, outcome=Outcome.FAILED, error=told)


# --- telling ------------------------------------------------------------------------------------------------------


def _tell(results: Sequence[Result], now: float, plan: Plan) -> None:
    for result in results:
        if result.error is not None:
            hint = hint_of(result.error)
            message = spoken(result.error.message)
            say(f"{name_of(result.account)}: {message}{f' ({spoken(hint)})' if hint else ''}", "red")
        elif result.outcome is Outcome.NOTHING_TO_REFRESH and not plan.is_quiet:
            say(f"{name_of(result.account)} has only an API key: there is nothing to refresh.")
    if plan.as_json:
        print_json({"accounts": [_shape(result) for result in results]})
    elif plan.is_quiet:
        return
    elif results:
        print_table(
            ("account", "result", "ends"),
            [(name_of(result.account), _word(result, now), expiry_text(result.account, now)) for result in results],
            spare=1,
            words=("result", "ends"),
        )
    else:
        say("No account has anything to refresh.")


def _word(result: Result, now: float) -> str:
    done_at = result.account.refreshed_at
    if result.outcome is Outcome.NOT_DUE and done_at is not None and 0 <= now - done_at < _JUST_S:
        return f"refreshed {ago(done_at, now)}"  # by this command or another: even --force does not ask anew
    return result.outcome.value.replace("_", " ")


def _shape(result: Result) -> dict[str, Json]:
    account = result.account
    expires_at = account.tokens.expires_at if account.tokens else None
    return {
        "id": account.id,
        "provider": account.provider,
        "label": account.label,
        "outcome": result.outcome.value,
        "access_token_expires_at": None if expires_at is None else rfc3339(expires_at),
        "error": result.error.message if result.error else "",
        "hint": result.error.hint if result.error else "",
    }
