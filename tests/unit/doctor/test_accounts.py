from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from iflow_cli_proxy.core.clock import Clock
from iflow_cli_proxy.core.errors import StateError
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.doctor.accounts import as_findings, examine, judge, unopened
from iflow_cli_proxy.doctor.finding import Finding, Status
from iflow_cli_proxy.pool.saved import AccountState, AuthType, SavedAccount, Tokens
from iflow_cli_proxy.providers.discovery import Finding as Discovered
from iflow_cli_proxy.providers.signin import RefreshPolicy
from iflow_cli_proxy.signin.place import Place
from iflow_cli_proxy.wiring.accounts import Accounts
from iflow_cli_proxy.wiring.known import KnownAccount
from tests.support.fake_clock import FakeClock
from tests.support.machines import NOW

POLICY = RefreshPolicy(ahead_s=900.0, jitter_s=300.0)
HOUR = 3600.0
SOMEWHERE = cast(Place, object())


def account(ends_in_s: float | None = 10 * HOUR, *, refresh: str = "rt", **changes: Any) -> SavedAccount:
    """A sign-in whose access token is the bearer."""
    tokens = Tokens(
        access_token=Secret("at-0123456789"),
        refresh_token=Secret(refresh),
        expires_at=None if ends_in_s is None else NOW + ends_in_s,
    )
    given = SavedAccount(id="one", provider="qwen", label="ada", auth_type=AuthType.OAUTH, tokens=tokens)
    return replace(given, **changes)


def judged(saved: SavedAccount, **more: Any) -> Finding:
    return judge(KnownAccount(saved=saved, place=SOMEWHERE, **more), POLICY, NOW)


KEY = account(api_key=Secret("sk-0123456789"))

CASES = [
    (account(), Status.OK, "ends in 10 h", False),
    (account(None), Status.OK, "no end is known", False),
    (account(1200 - 1), Status.NOTE, "a running gateway refreshes it", False),
    (account(1200 + 1), Status.OK, "ends in 20 min", False),
    (account(-HOUR), Status.WARNING, "ended 1 h ago", False),
    (replace(KEY, tokens=account(-HOUR).tokens), Status.WARNING, "its key works on", False),
    (account(20 * HOUR, refresh=""), Status.WARNING, "cannot be refreshed", False),
    (account(30 * HOUR, refresh=""), Status.OK, "ends in 30 h", False),
    (account(-HOUR, refresh=""), Status.FAILURE, "cannot be refreshed", True),
    (account(-HOUR, state=AccountState.NEEDS_LOGIN), Status.FAILURE, "needs a new sign-in", True),
    (account(state=AccountState.NEEDS_LOGIN, last_error="It is dead."), Status.FAILURE, "sign-in: It is dead", True),
    (account(is_refused=True), Status.FAILURE, "its key was refused", True),
    (replace(account(), tokens=None), Status.FAILURE, "holds no credential", True),
    (account(state=AccountState.DISABLED), Status.NOTE, "is switched off", False),
    (
        account(failing_since=NOW - 3 * HOUR, refresh_failures=4, last_error="Too many people."),
        Status.WARNING,
        "every refresh has failed for 3 h: Too many people",
        False,
    ),
    (account(state=AccountState.COOLING, rests_until=NOW + 60), Status.NOTE, "rests for 1 min", False),
]


@pytest.mark.parametrize(("saved", "status", "words", "needs_login"), CASES)
def test_what_is_most_worth_knowing_is_told(saved: SavedAccount, status: Status, words: str, needs_login: bool) -> None:
    found = judged(saved)

    assert (found.status, found.subject, found.needs_login) == (status, "qwen/ada", needs_login)
    assert words in found.text
    assert "0123456789" not in f"{found}"
    if status is Status.FAILURE:
        assert found.action == "iflow2api login qwen"
    if status is Status.WARNING and saved.can_refresh:
        assert found.action == "iflow2api token refresh qwen/ada"


def test_one_that_is_set_aside_by_its_sisters_is_only_noted() -> None:
    found = judged(account(), is_used=False)

    assert (found.status, found.action) == (Status.NOTE, "")


def test_another_programs_sign_in_is_refreshed_only_when_it_is_refused() -> None:
    assert "refreshed when it is refused" in judged(account(600), is_kept_fresh=False).text


def test_a_key_of_the_configuration_is_fine() -> None:
    known = KnownAccount(saved=KEY, origin="DESK_KEY")

    assert judge(known, POLICY, NOW).text == "a key from DESK_KEY"
    assert judge(replace(known, saved=replace(KEY, api_key=Secret(), tokens=None)), POLICY, NOW).status is Status.OK


# --- all of them ----------------------------------------------------------------------------------------------------


class FakeAccounts:
    """As much of `Accounts` as is asked for."""

    def __init__(self, refresh: Callable[[], SavedAccount]) -> None:
        self.clock: Clock = FakeClock(NOW)
        self.refresher = self
        self.forced: list[tuple[str, bool]] = []
        self._refresh = refresh

    def policy(self, provider: str) -> RefreshPolicy:
        return POLICY

    def refresh(self, account_id: str, *, is_forced: bool) -> Awaitable[SavedAccount]:
        self.forced.append((account_id, is_forced))

        async def answer() -> SavedAccount:
            return self._refresh()

        return answer()


def looked(fake: FakeAccounts, *saved: SavedAccount, may_call: bool) -> list[Finding]:
    known = [KnownAccount(saved=one, place=SOMEWHERE) for one in saved]
    return examine(cast(Accounts, fake), known, may_call=may_call)


def test_nobody_at_all_needs_a_login() -> None:
    (found,) = looked(FakeAccounts(account), may_call=False)

    assert (found.status, found.needs_login) == (Status.FAILURE, True)
    assert "iflow2api login" in found.action


async def test_a_sign_in_that_has_ended_can_be_repaired_where_calls_are_allowed() -> None:
    fake = FakeAccounts(account)

    (offline,) = looked(fake, account(-HOUR), may_call=False)
    online, soon = looked(fake, account(-HOUR), account(600), may_call=True)

    assert offline.repair is None
    assert soon.repair is None
    assert online.repair is not None
    assert await online.repair.do() == "refreshed; ends in 10 h"
    assert fake.forced == [("one", True)]


def test_a_sealed_account_is_told_by_what_is_known_without_opening_it() -> None:
    closed = account(refresh="")
    fine, dead = (
        judge(KnownAccount(saved=one, is_ours=True, is_sealed=True), POLICY, NOW)
        for one in (closed, replace(closed, state=AccountState.NEEDS_LOGIN))
    )

    assert (fine.status, dead.status, dead.needs_login) == (Status.OK, Status.FAILURE, True)


def test_what_others_have_told_is_not_told_again() -> None:
    ours = Path("/home/gateway/accounts")
    found = [
        Discovered(where=str(ours / "one.json"), problem="is damaged"),
        Discovered(where="/home/.qwen/oauth_creds.json", problem="lacks something"),
        Discovered(where="DESK_KEY", problem="is not set", hint="set DESK_KEY"),
    ]

    (told,) = as_findings(found, ours, ["lacks something"])

    assert (told.status, told.subject, told.action) == (Status.WARNING, "DESK_KEY", "set DESK_KEY")


def test_what_keeps_accounts_shut_is_told_with_its_hint() -> None:
    found = unopened(StateError("The keyring is locked.", hint="unlock it"))

    assert (found.status, found.text, found.action) == (Status.FAILURE, "The keyring is locked.", "unlock it")
