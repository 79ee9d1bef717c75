from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from iflow_cli_proxy.core.errors import (
    ConfigError,
    ConnectionLost,
    CredentialError,
    GatewayError,
    LoginRequired,
    Overloaded,
    StateError,
    TimedOut,
    Unreachable,
)
from iflow_cli_proxy.core.secret import Secret
from iflow_cli_proxy.pool.saved import AccountState, SavedAccount, Tokens
from iflow_cli_proxy.providers.signin import OAuthAnswer, OAuthClient, Profile, SignIn
from iflow_cli_proxy.signin import timing
from iflow_cli_proxy.signin.refresh import Keeping, Refresher
from iflow_cli_proxy.signin.timing import lacks_profile
from iflow_cli_proxy.transport.base import UpstreamRequest
from tests.support.entropy import counting_entropy
from tests.support.fake_clock import FakeClock
from tests.support.fake_transport import Answer, FakeReply, FakeTransport
from tests.support.patience import until
from tests.support.places import FakePlace
from tests.support.saved_accounts import saved_account

CLIENT = OAuthClient(token_url="https://sign.in.example/token", client_id="us", provider="iflow")
DEAD = FakeReply(b'{"error":"invalid_grant"}', status=400)
BUSY = FakeReply(b"{}", status=503)
KEY = FakeReply(b"sk-new")
FULL = StateError("The disk is full.")
OLD = Secret("at-old")


def good(number: int = 1, *, expires_in: int = 3600) -> FakeReply:
    return FakeReply(
        f'{{"access_token":"at-{number}","refresh_token":"rt-{number}","expires_in":{expires_in}}}'.encode()
    )


class KeyPage:
    """A userinfo endpoint that answers with the bare key."""

    def request(self, tokens: Tokens) -> UpstreamRequest:
        return UpstreamRequest(url="https://sign.in.example/me", headers={}, method="GET")

    def read(self, answer: OAuthAnswer) -> Profile:
        if answer.status == 401:
            raise LoginRequired("The access token is not accepted.")
        if answer.status != 200:
            raise Overloaded("busy")
        return Profile(api_key=Secret(answer.body.decode()))


class Scene:
    """One account whose tokens have run out, at a provider that gives `answers`."""

    def __init__(self, *answers: Answer, has_profile: bool = False, **changes: Any) -> None:
        self.clock = FakeClock()
        tokens = Tokens(access_token=OLD, refresh_token=Secret("rt-old"), expires_at=self.clock.now() - 1)
        api_key = Secret("sk-old") if has_profile else Secret()
        self.place = FakePlace(saved_account(tokens=tokens, api_key=api_key, **changes))
        self.transport = FakeTransport(*answers)
        self.sign_in = SignIn(provider="iflow", client=CLIENT, profiles=KeyPage() if has_profile else None)
        self.settings_error: GatewayError | None = None
        self.told: list[SavedAccount] = []
        self.refresher = self.another()

    def another(self) -> Refresher:
        """As another process would have it."""
        return Refresher(
            self.keeping,
            clock=self.clock,
            chance=lambda: 0.5,
            entropy=counting_entropy(),
            on_change=self.told.append,
        )

    def keeping(self, account_id: str) -> Keeping | None:
        if self.settings_error is not None:
            raise self.settings_error
        return Keeping(self.place, self.sign_in, self.transport) if account_id == "one" else None

    @property
    def saved(self) -> SavedAccount:
        assert self.place.account is not None
        return self.place.account

    @property
    def calls(self) -> int:
        return len(self.transport.requests)

    async def refresh(self, seen: str = "", *, is_forced: bool = False) -> SavedAccount:
        return await self.refresher.refresh("one", seen=Secret(seen) if seen else None, is_forced=is_forced)

    async def failure(self, seen: str = "", *, is_forced: bool = False) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            await self.refresh(seen, is_forced=is_forced)
        return caught.value


# --- success ------------------------------------------------------------------------------------------------------


async def test_new_tokens_are_written_answered_told_and_logged_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "iflow2api")
    scene = Scene(good(1))

    answer = await scene.refresh()

    assert answer.bearer == Secret("at-1")
    assert scene.saved == answer
    assert scene.told == [answer]
    assert [record.getMessage() for record in caplog.records] == [
        "refreshed iflow account one@example.com, valid until 2023-11-14 23:13 UTC"
    ]
    assert not scene.place.taken.locked()


async def test_an_account_that_is_not_due_is_answered_without_a_call() -> None:
    scene = Scene(good(1))
    await scene.refresh()

    assert (await scene.refresh()).bearer == Secret("at-1")
    assert scene.calls == 1


async def test_fifty_callers_share_one_call() -> None:
    scene = Scene(good(1))

    answers = await asyncio.gather(*(scene.refresh("at-old") for _ in range(50)))

    assert {answer.bearer.reveal() for answer in answers} == {"at-1"}
    assert scene.calls == 1
    assert len(scene.place.writes) == 1


async def test_callers_with_different_wishes_still_make_one_call() -> None:
    scene = Scene(good(1))

    answers = await asyncio.gather(
        scene.refresh(), scene.refresh("at-old"), scene.refresh(is_forced=True), scene.refresh("at-older")
    )

    assert {answer.bearer.reveal() for answer in answers} <= {"at-1", "at-old"}
    assert scene.calls == 1


async def test_f50_who_finds_a_newer_bearer_in_the_place_calls_nobody() -> None:
    scene = Scene(good(1))
    await scene.another().refresh("one", seen=OLD)

    assert (await scene.refresh("at-old")).bearer == Secret("at-1")
    assert (await scene.refresh(is_forced=True)).bearer == Secret("at-1")
    assert scene.calls == 1
    assert scene.told[-1].bearer == Secret("at-1")


async def test_a_refresh_that_has_begun_is_finished_when_all_callers_have_left() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    class Slow(FakeReply):
        def fresh(self) -> FakeReply:
            asked.set()
            return FakeReply(may_answer, *self._written)

    scene = Scene(Slow(b'{"access_token":"at-1","refresh_token":"rt-1","expires_in":600}'))
    callers = [asyncio.ensure_future(scene.refresh()) for _ in range(3)]
    await asked.wait()
    for caller in callers:
        caller.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*callers, return_exceptions=True)
    )

    may_answer.set()
    await scene.refresher.aclose()

    assert scene.saved.bearer == Secret("at-1")


async def test_r12_at_closing_a_token_endpoint_that_was_asked_gets_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iflow_cli_proxy.signin.refresh._CLOSING_S", 0.01)
    may_answer = asyncio.Event()
    scene = Scene(FakeReply(may_answer, b'{"access_token":"at-1","refresh_token":"rt-1"}'))
    caller = asyncio.ensure_future(scene.refresh())
    await until(lambda: scene.calls == 1)

    asyncio.get_running_loop().call_later(0.1, may_answer.set)
    await scene.refresher.aclose()

    assert (await caller).bearer == scene.saved.bearer == Secret("at-1")


async def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iflow_cli_proxy.signin.refresh._CLOSING_S", 0.01)
    monkeypatch.setattr("iflow_cli_proxy.signin.refresh._ANSWERING_S", 0.01)
    scene = Scene(asyncio.Event())
    caller = asyncio.ensure_future(scene.refresh())
    await until(lambda: scene.calls == 1)

    await scene.refresher.aclose()

    assert isinstance((await asyncio.gather(caller, return_exceptions=True))[0], asyncio.CancelledError)
    await until(lambda: not scene.place.taken.locked())


async def test_a_failure_nobody_waits_for_is_no_warning_of_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(BUSY)
    caller = asyncio.ensure_future(scene.refresh())
    await until(lambda: scene.calls == 1)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)

    await scene.refresher.aclose()

    assert scene.saved.refresh_failures == 1
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_only_sign_ins_can_be_refreshed() -> None:
    scene = Scene(good(1))
    with pytest.raises(LoginRequired):
        await scene.refresher.refresh("two")

    scene.sign_in = SignIn(provider="openai")
    assert isinstance(await scene.failure(), LoginRequired)
    scene.sign_in = SignIn(provider="iflow", client=CLIENT)
    scene.place.account = None
    assert isinstance(await scene.failure(), StateError)
    assert scene.calls == 0


# --- how often ----------------------------------------------------------------------------------------------------


async def test_a_refused_bearer_gets_one_refresh_before_its_time() -> None:
    scene = Scene(good(1), good(2), good(3))
    await scene.refresh()

    assert (await scene.refresh("at-1")).bearer == Secret("at-2")
    assert isinstance(await scene.failure("at-2"), CredentialError)
    assert scene.calls == 2
    scene.clock.advance(301)
    assert (await scene.refresh("at-2")).bearer == Secret("at-3")


async def test_who_insists_is_not_kept_waiting_by_pauses_and_states() -> None:
    scene = Scene(BUSY, DEAD, good(1))

    assert isinstance(await scene.failure(is_forced=True), Overloaded)
    assert isinstance(await scene.failure(is_forced=True), LoginRequired)
    assert scene.saved.state is AccountState.NEEDS_LOGIN
    assert (await scene.refresh(is_forced=True)).state is AccountState.OK


async def test_a_dead_host_fails_at_once_while_it_rests_and_is_asked_again_after_it() -> None:
    scene = Scene(Unreachable("The upstream cannot be reached."), good(1))

    assert isinstance(await scene.failure(), Unreachable)
    resting = await scene.failure("at-old")
    assert scene.calls == 1
    assert "The sign-in server of iflow cannot be reached." in resting.message
    assert resting.retry_after_s == pytest.approx(30, abs=3)
    scene.clock.advance(33)
    assert (await scene.refresh("at-old")).bearer == Secret("at-1")


async def test_four_processes_do_not_ask_a_failing_server_four_times() -> None:
    scene = Scene(BUSY)
    await scene.failure()

    for _ in range(3):
        with pytest.raises(Overloaded):
            await scene.another().refresh("one", seen=OLD)
    assert scene.calls == 1


# --- failure ------------------------------------------------------------------------------------------------------


async def test_a_dead_refresh_token_is_noted_and_nothing_is_taken_away(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(DEAD)
    before = scene.saved.tokens

    error = await scene.failure()

    assert isinstance(error, LoginRequired)
    assert (scene.saved.state, scene.saved.tokens) == (AccountState.NEEDS_LOGIN, before)
    assert scene.saved.last_error
    assert scene.told == [scene.saved]
    assert "rt-old" not in caplog.text
    scene.clock.advance(1e6)
    assert isinstance(await scene.failure("at-old"), LoginRequired)
    assert scene.calls == 1


@pytest.mark.parametrize("answer", [DEAD, BUSY, TimedOut("total", 20.0), FakeReply(b"<html>")])
async def test_r12_what_somebody_else_rotated_meanwhile_is_no_failure_and_stays(answer: Answer) -> None:
    class Beside(FakePlace):
        """Another program, without our lock, writes between the two readings."""

        def read(self) -> SavedAccount | None:
            found = super().read()
            tokens = Tokens(access_token=Secret("at-their"), refresh_token=Secret("rt-their"))
            self.account = saved_account(tokens=tokens, api_key=Secret())
            return found

    scene = Scene(answer)
    scene.place = Beside(scene.saved)

    assert (await scene.refresh()).bearer == Secret("at-their")
    assert scene.place.writes == []


async def test_one_warning_for_each_kind_of_failure_in_a_row(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(
        BUSY,
        BUSY,
        Unreachable("The upstream cannot be reached."),
        good(1, expires_in=60),
        Unreachable("The upstream cannot be reached."),
    )

    for _ in range(5):
        await asyncio.gather(scene.refresh(), return_exceptions=True)
        scene.clock.advance(400)

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [
        "refreshing iflow account one@example.com: The sign-in server cannot answer now (status 503).",
        "refreshing iflow account one@example.com: The sign-in server of iflow cannot be reached.",
        "refreshing iflow account one@example.com: The sign-in server of iflow cannot be reached.",
    ]


async def test_giving_up_after_a_day_asks_for_a_sign_in() -> None:
    clock = FakeClock()
    scene = Scene(
        BUSY, refresh_failures=100, failing_since=clock.now() - 90_000, last_error_at=clock.now() - 400, last_error="x"
    )

    error = await scene.failure()

    assert isinstance(error, LoginRequired)
    assert "25 hours" in error.message
    assert scene.saved.state is AccountState.NEEDS_LOGIN


async def test_what_was_only_given_up_is_tried_a_day_later_and_comes_back_by_itself() -> None:
    clock = FakeClock()
    long_ago = clock.now() - 90_000
    scene = Scene(BUSY, BUSY, good(1), refresh_failures=100, failing_since=long_ago, last_error_at=long_ago)
    reason = (await scene.failure()).message

    for _ in range(2):
        scene.clock.advance(86_000)
        assert (await scene.failure()).message == reason
        scene.clock.advance(500)
        if scene.calls == 1:
            assert (await scene.failure()).message == reason

    assert scene.calls == 2
    scene.clock.advance(86_500)
    assert (await scene.refresh()).state is AccountState.OK
    assert scene.saved.last_error == ""


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"success":false,"code":"500"}', b'{"access_token":""}', b"x" * 2_000_000]
)
async def test_i56_an_answer_that_is_no_token_leaves_the_tokens_alone(body: bytes) -> None:
    scene = Scene(FakeReply(body))
    before = scene.saved

    await scene.failure()

    assert (scene.saved.tokens, scene.saved.state) == (before.tokens, before.state)
    assert scene.saved.refresh_failures == 1


async def test_f49_an_answer_lost_on_the_way_is_fetched_with_the_old_token() -> None:
    scene = Scene(ConnectionLost("cut"), good(1))

    assert (await scene.refresh()).bearer == Secret("at-1")


# --- the key that belongs to the tokens ---------------------------------------------------------------------------


async def test_the_tokens_are_written_before_the_key_is_asked_for() -> None:
    scene = Scene(good(1), KEY, has_profile=True)

    answer = await scene.refresh()

    first, last = scene.place.writes
    assert (first.tokens, first.api_key) == (answer.tokens, Secret("sk-old"))
    assert lacks_profile(first)
    assert last == answer
    assert answer.bearer == Secret("sk-new")
    assert not lacks_profile(answer)


@pytest.mark.parametrize("refusal", [FakeReply(b"", status=500), FakeReply(b"", status=401), ConnectionLost("cut")])
async def test_a_key_that_does_not_come_is_asked_for_later_and_the_old_one_goes_on(refusal: Answer) -> None:
    scene = Scene(good(1), refusal, KEY, has_profile=True)

    answer = await scene.refresh()
    assert (answer.bearer, answer.refresh_failures) == (Secret("sk-old"), 1)
    assert answer.tokens is not None
    assert answer.tokens.refresh_token == Secret("rt-1")
    assert scene.saved == answer

    assert isinstance(await scene.failure("sk-old"), Overloaded)
    scene.clock.advance(40)
    answer = await scene.refresh("sk-old")

    assert (answer.bearer, answer.refresh_failures, answer.last_error) == (Secret("sk-new"), 0, "")
    assert [request.method for request in scene.transport.requests] == ["POST", "GET", "GET"]


async def test_a_process_killed_before_the_key_came_is_made_up_for() -> None:
    scene = Scene(good(1), KEY, has_profile=True)
    await scene.refresh()
    scene.place.account = scene.place.writes[0]

    answer = await scene.another().refresh("one")

    assert answer.bearer == Secret("sk-new")
    assert [request.method for request in scene.transport.requests] == ["POST", "GET", "GET"]


async def test_an_access_token_that_gets_no_key_any_more_is_refreshed() -> None:
    scene = Scene(good(1), FakeReply(b"", status=500), FakeReply(b"", status=401), good(2), KEY, has_profile=True)
    await scene.refresh()
    scene.clock.advance(40)

    answer = await scene.refresh()

    assert answer.bearer == Secret("sk-new")
    assert answer.tokens is not None
    assert answer.tokens.access_token == Secret("at-2")


async def test_a_key_that_no_refresh_brings_is_asked_for_ever_more_rarely() -> None:
    refused = FakeReply(b"", status=401)
    later = (answer for number in range(1, 6) for answer in (refused, good(number), refused))
    scene = Scene(good(0), refused, *later, has_profile=True)

    waits = []
    for _ in range(6):
        answer = await scene.refresh()
        wait_s = timing.rest_s(answer, scene.sign_in.policy, now=scene.clock.now())
        waits.append(wait_s)
        scene.clock.advance(wait_s * 1.1 + 1)

    assert waits == [30, 60, 120, 240, 300, 300]


# --- the disk -----------------------------------------------------------------------------------------------------


async def test_f51_tokens_that_cannot_be_saved_go_on_in_memory_and_are_saved_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene(good(1))
    on_disk = scene.saved
    scene.place.write_error = FULL

    answer = await scene.refresh("at-old")

    assert answer.bearer == Secret("at-1")
    assert scene.told == [answer]
    assert scene.saved == on_disk
    assert dict(scene.refresher.unsaved) == {"one": FULL}
    assert scene.refresher.current(on_disk).bearer == Secret("at-1")
    assert (await scene.refresh("at-old")).bearer == Secret("at-1")
    assert [record.levelname for record in caplog.records if record.levelname != "INFO"] == ["ERROR"]
    assert "The disk is full" in caplog.text

    scene.clock.advance(31)
    await scene.refresher.save_unsaved()
    assert scene.refresher.unsaved
    scene.place.write_error = None
    await scene.refresher.save_unsaved()
    assert scene.refresher.unsaved  # its pause has doubled
    scene.clock.advance(61)
    await scene.refresher.save_unsaved()
    assert not scene.refresher.unsaved
    assert scene.saved.bearer == Secret("at-1")


async def test_f51_what_only_memory_holds_is_saved_before_the_end_if_the_disk_takes_it_again() -> None:
    scene = Scene(good(1))
    scene.place.write_error = FULL
    await scene.refresh()

    await scene.refresher.aclose()
    assert scene.refresher.unsaved
    scene.place.write_error = None
    await scene.refresher.aclose()

    assert scene.saved.bearer == Secret("at-1")


async def test_f51_settings_without_the_provider_do_not_lose_what_memory_holds() -> None:
    scene = Scene(good(1))
    scene.place.write_error = FULL
    await scene.refresh()
    scene.place.write_error = None
    scene.settings_error = ConfigError("There is no such provider.")

    scene.clock.advance(31)
    await scene.refresher.save_unsaved()
    assert scene.refresher.unsaved["one"].message == "There is no such provider."
    scene.settings_error = None
    scene.clock.advance(61)
    await scene.refresher.save_unsaved()

    assert scene.saved.bearer == Secret("at-1")


async def test_f51_the_next_refresh_uses_the_token_from_memory_and_saves_it() -> None:
    scene = Scene(good(1, expires_in=600), good(2))
    scene.place.write_error = FULL
    await scene.refresh()
    scene.place.write_error = None
    scene.clock.advance(600)

    await scene.refresh()

    assert b"refresh_token=rt-1" in scene.transport.requests[1].body
    assert scene.saved.bearer == Secret("at-2")
    assert not scene.refresher.unsaved


async def test_f51_a_sign_in_that_came_meanwhile_wins_over_the_memory() -> None:
    scene = Scene(good(1))
    scene.place.write_error = FULL
    await scene.refresh()
    scene.place.write_error = None
    again = replace(scene.saved, tokens=Tokens(access_token=Secret("at-person"), refresh_token=Secret("rt-person")))
    scene.place.account = again
    scene.clock.advance(31)

    await scene.refresher.save_unsaved()

    assert scene.saved == again
    assert not scene.refresher.unsaved


async def test_f51_a_note_about_a_failure_that_cannot_be_written_changes_nothing() -> None:
    scene = Scene(BUSY)
    scene.place.write_error = FULL

    assert isinstance(await scene.failure(), Overloaded)
    assert not scene.refresher.unsaved
    assert isinstance(await scene.failure(), Overloaded)
    assert scene.calls == 1


async def test_i59_without_the_lock_nobody_is_asked() -> None:
    scene = Scene(good(1))
    scene.place.lock_error = StateError("A lock file could not be made: Read-only file system.")

    assert await scene.failure("at-old") is scene.place.lock_error
    assert scene.calls == 0


async def test_i59_a_token_that_came_while_we_waited_for_the_lock_is_used() -> None:
    class Slow(FakePlace):
        """The one who keeps the lock has written, and keeps it."""

        def lock(self) -> AbstractContextManager[None]:
            assert self.account is not None
            tokens = Tokens(access_token=Secret("at-their"), refresh_token=Secret("rt-their"))
            self.account = replace(self.account, tokens=tokens)
            raise StateError("Another process has held a file for 30 s.")

    scene = Scene(good(1))
    scene.place = Slow(scene.saved)

    assert (await scene.refresh("at-old")).bearer == Secret("at-their")
    assert scene.calls == 0
    assert scene.place.writes == []


async def test_i59_an_account_whose_place_cannot_be_read_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(good(1))
    scene.place.read_error = StateError("It is damaged: line 3, column 7.")

    assert await scene.failure() is scene.place.read_error
    assert await scene.failure() is scene.place.read_error
    assert caplog.text.count("line 3, column 7") == 1
    assert scene.calls == 0
