"""Every account by what is known of it here: who needs a person, what is about to end, what keeps failing.

Nobody is asked; `upstreams.py` does that. A sign-in that has ended comes back by a refresh, which is a call too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Final

from iflow_cli_proxy.core.errors import GatewayError
from iflow_cli_proxy.core.spans import span
from iflow_cli_proxy.doctor.finding import Finding, Group, Repair, Status
from iflow_cli_proxy.doctor.wording import name_of
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount
from iflow_cli_proxy.providers.discovery import Finding as Discovered
from iflow_cli_proxy.providers.signin import RefreshPolicy
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.known import KnownAccount

_DAY_S: Final = 86_400.0

_finding = partial(Finding, group=Group.ACCOUNTS)


def examine(accounts: Accounts, known: Iterable[KnownAccount], *, may_call: bool) -> list[Finding]:
    """Each account; what can be refreshed carries its repair where calls are allowed."""
    now = accounts.clock.now()
    findings = []
    for one in known:
        found = judge(one, accounts.policy(one.saved.provider), now)
        if may_call and found.status is Status.WARNING and found.action.startswith(_REFRESH):
            found = _with_refresh(found, accounts, one.saved)
        findings.append(found)
    return findings or [nobody()]


def nobody() -> Finding:
    return _finding(
        status=Status.FAILURE,
        subject="accounts",
        text="there are none yet",
        action="iflow2api login, or bring some: iflow2api token import",
        needs_login=True,
    )


# --- one account ----------------------------------------------------------------------------------------------------

_REFRESH: Final = "iflow2api token refresh"


def judge(known: KnownAccount, policy: RefreshPolicy, now: float) -> Finding:
    """What is most worth knowing about it."""
    account = known.saved
    finding = partial(_finding, subject=name_of(account))
    if known.is_sealed:
        return _judge_sealed(account, now)
    if known.place is None:
        text = f"a key from {known.origin}" if account.bearer else "is called without a key"
        return finding(status=Status.OK, text=text)
    if account.state is AccountState.DISABLED:
        text = "is switched off"
        return finding(status=Status.NOTE, text=text, action=f"iflow2api token enable {name_of(account)}")
    if why := _why_login(account, now):
        return finding(status=Status.FAILURE, text=why, action=_login(account), needs_login=True)
    if not known.is_used:
        return finding(status=Status.NOTE, text=f"is known and takes no requests ({_ends(account, now)})")
    return _judge_life(account, policy, now, is_kept_fresh=known.is_kept_fresh)


def _judge_sealed(account: SavedAccount, now: float) -> Finding:
    """One that was looked at without opening its secrets."""
    finding = partial(_finding, subject=name_of(account))
    if account.state is AccountState.NEEDS_LOGIN or account.is_refused:
        text = account.last_error or "needs a new sign-in"
        return finding(status=Status.FAILURE, text=text, action=_login(account), needs_login=True)
    return finding(status=Status.OK, text=f"is sealed, and was not opened ({_ends(account, now)})")


def _why_login(account: SavedAccount, now: float) -> str:
    """Why only a person can bring it back; empty when nobody has to."""
    said = account.last_error.rstrip(".")
    if account.state is AccountState.NEEDS_LOGIN:
        return f"needs a new sign-in: {said}" if said else "needs a new sign-in"
    if account.is_refused:
        return f"its key was refused{f': {said}' if said else ''}"
    if not account.bearer:
        return "holds no credential"
    if not account.can_refresh_later and account.bearer_expires_at <= now:
        return f"ended {span(now - account.bearer_expires_at)} ago and cannot be refreshed"
    return ""


def _judge_life(account: SavedAccount, policy: RefreshPolicy, now: float, *, is_kept_fresh: bool) -> Finding:
    """One that works as far as is known here."""
    finding = partial(_finding, subject=name_of(account))
    refresh = f"{_REFRESH} {name_of(account)}"
    if account.failing_since is not None and account.refresh_failures:
        long, said = span(now - account.failing_since), account.last_error.rstrip(".")
        text = f"every refresh has failed for {long}: {said}" if said else f"every refresh has failed for {long}"
        return finding(status=Status.WARNING, text=text, action=refresh)
    left_s = _ends_at(account) - now
    if left_s <= 0:
        works_on = account.bearer_expires_at > now
        text = f"its tokens ended {span(left_s)} ago{'; its key works on' if works_on else ''}"
        return finding(status=Status.WARNING, text=text, action=refresh if account.can_refresh else _login(account))
    if not account.can_refresh and left_s < _DAY_S:
        text = f"ends in {span(left_s)} and cannot be refreshed"
        return finding(status=Status.WARNING, text=text, action=_login(account))
    if account.can_refresh and left_s < policy.ahead_s + policy.jitter_s:
        by_itself = "a running gateway refreshes it" if is_kept_fresh else "it is refreshed when it is refused"
        return finding(status=Status.NOTE, text=f"ends in {span(left_s)}; {by_itself}", action=refresh)
    if account.state is AccountState.COOLING and account.rests_until is not None and account.rests_until > now:
        return finding(status=Status.NOTE, text=f"rests for {span(account.rests_until - now)}")
    return finding(status=Status.OK, text=_ends(account, now))


def _ends(account: SavedAccount, now: float) -> str:
    left_s = _ends_at(account) - now
    if left_s == inf:
        return "no end is known"
    return f"ends in {span(left_s)}" if left_s > 0 else f"ended {span(left_s)} ago"


def _ends_at(account: SavedAccount) -> float:
    """When the first of its credentials ends."""
    expires_at = account.tokens.expires_at if account.tokens else None
    return min(account.bearer_expires_at, inf if expires_at is None else expires_at)


def _login(account: SavedAccount) -> str:
    return f"iflow2api login {account.provider}"


# --- further --------------------------------------------------------------------------------------------------------


def as_findings(discovered: Iterable[Discovered], folder: Path, told: Iterable[str]) -> list[Finding]:
    """What came up on the way to the accounts, but for our own `folder` and for what others have `told` already."""
    known = set(told)
    return [
        _finding(status=Status.WARNING, subject=one.where, text=one.problem, action=one.hint)
        for one in discovered
        if one.problem not in known and Path(one.where).parent != folder
    ]


def unopened(error: GatewayError) -> Finding:
    """Credentials are encrypted and what opens them is not there."""
    return _finding(status=Status.FAILURE, subject="accounts", text=error.message, action=error.hint)


def _with_refresh(finding: Finding, accounts: Accounts, account: SavedAccount) -> Finding:
    async def refresh() -> str:
        after = await accounts.refresher.refresh(account.id, is_forced=True)
        return f"refreshed; {_ends(after, accounts.clock.now())}"

    repair = Repair(will=f"refresh {name_of(account)}", do=refresh)
    return replace(finding, repair=repair)
